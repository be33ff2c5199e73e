import type { Duplex } from 'node:stream';
import type { CloseReason } from '../../../shared/close-codes.ts';

/** What carries a connection's frames: the built-in echo, or the relay to an upstream. */
export interface Wire {
  /**
   * Asks the client for a sign of life, as soon as a frame fits.
   *
   * @param written called once the ping has really been written: it may have to wait for the end of a long frame
   */
  ping(written: () => void): void;
  /** Sends a Close frame (RFC 6455 §5.5.1). */
  close(code: number, reason: string): void;
  /** Ends the socket at once. */
  terminate(): void;
  /** Whether the client does not read what it is sent. */
  readonly stalled: boolean;
  /** Whether the client, or what is behind the gateway, has closed already, where the wire sees that. */
  readonly closed?: boolean;
  /** How far the client has come with what it is sent. */
  readonly sent: Sent;
  /** Bytes from the client so far, where the wire does not tell of each: more of them are a sign of life. */
  readonly bytesRead?: number;
}

export interface Sent {
  /** A count that grows with the bytes that the client has taken. */
  readonly taken: number;
  /** Bytes that wait for it to read. */
  readonly left: number;
}

/** What a socket tells of that. */
export function sentOn(socket: Duplex): Sent {
  const left = socket.writableLength;
  const written = 'bytesWritten' in socket ? Number(socket.bytesWritten) : 0; // those that are left among them
  return { taken: written - left, left };
}

/** What a wire tells of its connection. */
export interface WireListener {
  /** The client gave a sign of life. */
  heard(): void;
  /** The gateway has to close for this reason. */
  failed(reason: Extract<CloseReason, 'message_too_big' | 'upstream_lost'>): void;
  /** The socket has ended, with this code and reason from the client, the upstream or the network. */
  ended(code: number, reason: string): void;
}
