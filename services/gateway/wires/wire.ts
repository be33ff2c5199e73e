import type { Duplex } from 'node:stream';
import type { CloseReason } from '../../../shared/close-codes.ts';

/** The most frames of one message from a client; more only serve to exhaust memory (CVE-2026-48779). */
export const MAX_FRAGMENTS = 1_024;

/** What carries the frames of a connection: the built-in echo, a splice to an upstream, or a raw wire. */
export interface Wire {
  /**
   * Sends a ping as soon as a frame fits.
   *
   * @param written called when the ping has been written: it may have to wait for the end of a long frame
   */
  ping(written: () => void): void;
  /** Sends a Close frame (RFC 6455 §5.5.1). */
  close(code: number, reason: string): void;
  /** Ends the socket at once. */
  terminate(): void;
  /** Whether the client does not read what it is sent. */
  readonly stalled: boolean;
  /** Whether the client or the back end has sent a Close frame, if the wire sees that. */
  readonly closed?: boolean;
  /** How much of what it is sent the client has taken. */
  readonly sent: Sent;
  /** Bytes from the client so far, if the wire does not call `heard` for them: more bytes are a sign of life. */
  readonly bytesRead?: number;
}

/** How far the client has come with what it is sent. */
export interface Sent {
  /** Grows with the bytes that the client has taken; only differences count. */
  readonly taken: number;
  /** Bytes that wait for the client to read. */
  readonly left: number;
}

/** What a socket knows about that. */
export function sentOn(socket: Duplex): Sent {
  const left = socket.writableLength;
  const written = 'bytesWritten' in socket ? Number(socket.bytesWritten) : 0; // counts those that are left too
  return { taken: written - left, left };
}

/** What a wire reports about its connection. */
export interface WireListener {
  /** The client has sent something, so it is alive. */
  heard(): void;
  /** The gateway must close the connection for this reason. */
  failed(reason: Extract<CloseReason, 'message_too_big' | 'too_many_fragments' | 'upstream_lost'>): void;
  /** The socket has ended, with this code and reason from the client, the upstream or the network. */
  ended(code: number, reason: string): void;
}
