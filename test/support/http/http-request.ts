import { type IncomingHttpHeaders, request } from 'node:http';

/** The answer to one request. */
export interface HttpReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The values of a header line by line. */
  lines(name: string): string[];
  readonly text: string;
  /** The body if it is a JSON object, otherwise empty. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface HttpRequestOptions {
  readonly method?: string;
  /** Sent as given, including `Host` and `Origin`. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
  /** The local address to connect from. */
  readonly from?: string;
}

/** Sends one request on a new connection. Unlike fetch it adds no header except `Host` and the framing. */
export function httpRequest(port: number, path: string, options: HttpRequestOptions = {}): Promise<HttpReply> {
  const { method = 'GET', headers = {}, body, from } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        agent: false,
        headers: { ...headers, ...(body !== undefined && { 'Content-Length': String(Buffer.byteLength(body)) }) },
        ...(from !== undefined && { localAddress: from }),
      },
      (incoming) => {
        let text = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk: string) => {
          text += chunk;
        });
        incoming.on('error', reject);
        incoming.on('end', () => {
          const raw = incoming.rawHeaders;
          const lines = (name: string): string[] =>
            raw.flatMap((field, index) =>
              index % 2 === 0 && field.toLowerCase() === name.toLowerCase() ? [raw[index + 1] ?? ''] : [],
            );
          const parsed: unknown = text.startsWith('{') ? JSON.parse(text) : {};
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            lines,
            text,
            body: parsed as HttpReply['body'], // it begins with a brace
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
