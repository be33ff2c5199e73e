import { Random } from '../numbers/random.ts';
import { bytesOf, goodDraft } from './malformed-draft.ts';
import { breakages } from './malformed-kinds.ts';

/** What the client does once it has sent everything. */
type Ending =
  /** It waits: the request is complete, and the server has to answer and close. */
  | 'wait'
  /** It closes its side (FIN) and reads on. */
  | 'half-close'
  /** It breaks the connection (RST). */
  | 'reset'
  /** It closes the socket without reading. */
  | 'vanish';

/** One hand-made client that does something wrong. */
export interface MalformedUpgrade {
  readonly kind: string;
  /** Written one by one. */
  readonly packets: readonly Buffer[];
  readonly ending: Ending;
  /** Whether the request is broken for certain, so that even a good ticket must not be admitted, nor spent. */
  readonly certain: boolean;
  /** Whether an answer comes without its body (to HEAD). */
  readonly bodiless: boolean;
  /** Whether a reset may overtake the answer, because more came behind the request than was read. */
  readonly overrun: boolean;
}

const kinds = Object.keys(breakages);

/** Every way to break a request for certain. */
export const certainKinds = kinds.filter((kind) => breakages[kind]?.certain);

/**
 * A malformed upgrade request.
 *
 * @param ticket the ticket that it carries; without one it is made up: of the right form, but never issued
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
    // What comes behind a good request in a packet of its own may come when its ticket is spent already.
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

/** Mostly one packet; sometimes a few, cut anywhere. */
function inPackets(bytes: Buffer, random: Random): Buffer[] {
  const cuts = random.chance(0.7) ? 0 : random.integer(1, 6);
  const positions = Array.from({ length: cuts }, () => random.integer(0, bytes.length)).sort((a, b) => a - b);
  const edges = [0, ...positions, bytes.length];
  return edges
    .slice(1)
    .map((edge, index) => bytes.subarray(edges[index], edge))
    .filter((packet) => packet.length > 0);
}
