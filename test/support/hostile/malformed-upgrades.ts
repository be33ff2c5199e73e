import { Random } from '../numbers/random.ts';
import { bytesOf, goodDraft } from './malformed-draft.ts';
import { breakages } from './malformed-kinds.ts';

/** What the client does after it has sent everything. */
type Ending =
  /** It waits: the request is complete, and the server has to answer and close. */
  | 'wait'
  /** It closes its side (FIN) and reads on. */
  | 'half-close'
  /** It breaks the connection (RST). */
  | 'reset'
  /** It closes the socket without reading. */
  | 'vanish';

/** A client that sends a malformed request. */
export interface MalformedUpgrade {
  readonly kind: string;
  /** Written one after another. */
  readonly packets: readonly Buffer[];
  readonly ending: Ending;
  /** Whether the request is certainly malformed: even a valid ticket must not be admitted or consumed. */
  readonly certain: boolean;
  /** Whether the answer has no body (to HEAD). */
  readonly bodiless: boolean;
  /** Whether a reset may overtake the answer, because bytes after the request were never read. */
  readonly overrun: boolean;
}

const kinds = Object.keys(breakages);

/** Every kind that certainly breaks a request. */
export const certainKinds = kinds.filter((kind) => breakages[kind]?.certain);

/**
 * Makes a malformed upgrade request.
 *
 * @param ticket its ticket; by default a well-formed one that was never issued
 */
export function malformedUpgrade(seed: number, options: { kind?: string; ticket?: string } = {}): MalformedUpgrade {
  const random = new Random(seed);
  const kind = options.kind ?? kinds[random.integer(0, kinds.length - 1)] ?? '';
  const breakage = breakages[kind];
  if (breakage === undefined) throw new Error(`no such kind: ${kind}`);

  const ticket = options.ticket ?? `ogt_${random.text(22)}.${random.text(32)}`;
  const broken = breakage.apply(goodDraft(random, ticket), random);
  const bytes = Buffer.isBuffer(broken) ? broken : bytesOf(broken);
  const { certain, incomplete = false, bodiless = false, overrun = false, behind = false } = breakage;
  return {
    kind,
    // Bytes after a valid request, in a packet of their own, may arrive when its ticket is consumed already.
    packets: behind && options.ticket !== undefined ? [bytes] : inPackets(bytes, random),
    ending: endingOf(random, incomplete),
    certain,
    bodiless,
    overrun,
  };
}

function endingOf(random: Random, incomplete: boolean): Ending {
  if (random.chance(0.1)) return random.pick(['reset', 'vanish']);
  return incomplete || random.chance(0.2) ? 'half-close' : 'wait';
}

/** Splits the bytes: mostly one packet, sometimes a few. */
function inPackets(bytes: Buffer, random: Random): Buffer[] {
  const cuts = random.chance(0.7) ? 0 : random.integer(1, 6);
  const positions = Array.from({ length: cuts }, () => random.integer(0, bytes.length)).sort((a, b) => a - b);
  const edges = [0, ...positions, bytes.length];
  return edges
    .slice(1)
    .map((edge, index) => bytes.subarray(edges[index], edge))
    .filter((packet) => packet.length > 0);
}
