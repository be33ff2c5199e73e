/** Exit codes of every process, after sysexits.h. */
export const exitCodes = {
  /** A clean end: a drain, or a command that did its work. */
  ok: 0,
  /** A fault: an exception that nothing handles. */
  fault: 1,
  /** A wrong command line. */
  usage: 64,
  /** A port is taken, or the address is not one of this machine. */
  unavailable: 69,
  /** A wrong configuration; every fault is on stderr, one a line. */
  config: 78,
} as const;
