import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';

/**
 * One request that the load generator sends, and the answer it expects. load/exchanges.h has the format of the file.
 *
 * @typedef {object} Exchange
 * @property {string | Buffer} request
 * @property {number} status the status expected; any other is a failure
 * @property {Buffer} [after] bytes to send after a 101
 * @property {number} [frames] how many frames to wait for after a 101
 * @property {number} [closeCode] the code expected in answer to the Close frame of 1000 that ends a handshake: 1000 by
 *   default; 1005 for a Close frame without a code
 */

/** The same key for every request, so that the load generator need not compute the answer to it. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

/**
 * Repeats a list until there are `count` of them.
 *
 * @template T
 * @param {readonly T[]} list
 * @param {number} count
 * @returns {T[]}
 */
export function cycle(list, count) {
  return Array.from({ length: count }, (_, index) => list[index % list.length]);
}

/** @param {readonly Exchange[]} exchanges */
export function writeExchanges(path, exchanges) {
  const parts = exchanges.flatMap(({ request, status, after = Buffer.alloc(0), frames = 0, closeCode = 1000 }) => {
    const bytes = Buffer.from(request);
    const accept = Buffer.from(status === 101 ? ACCEPT : '');
    const head = Buffer.alloc(16);
    head.writeUInt32LE(bytes.length, 0);
    head.writeUInt32LE(after.length, 4);
    head.writeUInt16LE(status, 8);
    head.writeUInt16LE(frames, 10);
    head.writeUInt16LE(closeCode, 12);
    head.writeUInt16LE(accept.length, 14);
    return [head, bytes, after, accept];
  });
  writeFileSync(path, Buffer.concat(parts));
}

/** The text of an upgrade request with a browser's headers. */
export function upgradeRequest(target, headers = {}) {
  return requestText('GET', target, {
    Host: '127.0.0.1',
    Connection: 'Upgrade',
    Pragma: 'no-cache',
    'Cache-Control': 'no-cache',
    'User-Agent':
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
    Upgrade: 'websocket',
    Origin: 'http://127.0.0.1',
    'Sec-WebSocket-Version': '13',
    'Accept-Encoding': 'gzip, deflate, br, zstd',
    'Accept-Language': 'en-US,en;q=0.9',
    'Sec-WebSocket-Key': KEY,
    ...headers,
  });
}

/** The text of a POST with a JSON body. */
export function postRequest(target, body, headers = {}) {
  const text = JSON.stringify(body);
  const all = {
    Host: '127.0.0.1',
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(text)),
    Accept: 'application/json',
    ...headers,
  };
  return requestText('POST', target, all) + text;
}

/** A client's masked text frame of at most 125 bytes. */
export function clientTextFrame(text) {
  return clientFrame(0x81, Buffer.from(text));
}

/** A client's masked binary frame of at most 125 bytes. */
export function clientBinaryFrame(bytes) {
  return clientFrame(0x82, Buffer.from(bytes));
}

function clientFrame(firstByte, payload) {
  if (payload.length > 125) throw new Error('the payload is longer than 125 bytes');
  const mask = [1, 2, 3, 4];
  const masked = payload.map((byte, index) => byte ^ mask[index % 4]);
  return Buffer.from([firstByte, 0x80 | payload.length, ...mask, ...masked]);
}

function requestText(method, target, headers) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
}
