export interface WelcomeOptions {
  readonly scheme: 'http' | 'https';
  /** As in a URL. */
  readonly host: string;
  readonly ticketPort: number;
  readonly gatewayUrl: string;
  readonly inMemory: boolean;
  readonly ttlSeconds: number;
  readonly demo: { readonly name: string; readonly password: string } | undefined;
  /** Whether the playground is served. */
  readonly playground: boolean;
}

/** What a new user reads first: the addresses, and two commands to paste into a shell. */
export function welcome(options: WelcomeOptions): string {
  const { scheme, host, ticketPort, gatewayUrl, inMemory, ttlSeconds, demo, playground } = options;
  const tickets = `${scheme}://${host}:${ticketPort}`;
  const insecure = scheme === 'https' ? ' --insecure' : '';
  const credentials = demo ? `-u ${demo.name}:${demo.password}` : "-H 'Authorization: <your credentials>'";
  const lines = [
    `Oncegate is running${inMemory ? ', in memory: nothing outlives this process' : ''}.`,
    '',
    // No server is sent a fragment. The page fills its form from it and removes it from the address.
    ...(playground ? [`  try it           ${tickets}/${demo ? `#${demo.name}:${demo.password}` : ''}`] : []),
    `  ticket service   ${tickets}`,
    `  gateway          ${gatewayUrl}`,
    ...(demo ? [`  demo user        ${demo.name}`, `  password         ${demo.password}   (made for this run)`] : []),
    '',
    `Get a ticket, then open the WebSocket with it: once, and within ${ttlSeconds} s.`,
    '',
    `  curl -s${insecure} ${credentials} -X POST ${tickets}/tickets | tee ticket.json`,
    `  npx oncegate connect ticket.json${insecure}`,
    '',
  ];
  return `\n${lines.join('\n')}\n`;
}
