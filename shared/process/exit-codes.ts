/** Exit codes of every process, after sysexits.h. */
export const exitCodes = {
  /** A clean end: a drain, or a command that did its work. */
  ok: 0,
  /** Something that nobody foresaw. */
  fault: 1,
  /** A wrong command line. */
  usage: 64,
  /** A port is taken, or an address is not ours. */
  unavailable: 69,
  /** A wrong configuration; every fault is on stderr, one a line. */
  config: 78,
} as const;
