import {
  ConnectionEnded,
  ConnectRefused,
  OncegateSocket,
  type OncegateSocketOptions,
  type SocketState,
} from 'oncegate/client';
import { useCallback, useEffect, useEffectEvent, useRef, useState } from 'react';

interface Snapshot {
  readonly state: SocketState;
  /** Why it was last refused, or ended. It stays when the connection is back. */
  readonly reason?: ConnectRefused | ConnectionEnded;
  /** While `waiting`: milliseconds from its beginning until the next attempt. */
  readonly waitMs?: number | undefined;
}

export interface Connection extends Snapshot {
  /** @throws {DOMException} `InvalidStateError` while it is not open, unless there is a `bufferBytes` */
  readonly send: (data: string) => void;
}

/**
 * A connection for as long as the component is mounted. What may change from one attempt to the next
 * belongs into providers (`headers`, `path`, `claims`).
 *
 * @param options Another object is another connection: keep it outside of the component, or in `useMemo`
 * @param onMessage the latest one is called; it may be made anew with every rendering
 */
export function useOncegateSocket(
  options: OncegateSocketOptions,
  onMessage: (event: MessageEvent) => void,
): Connection {
  const [snapshot, setSnapshot] = useState<Snapshot>({ state: 'issuing' });
  const latest = useRef<OncegateSocket>(null);
  const receive = useEffectEvent(onMessage);

  useEffect(() => {
    const socket = new OncegateSocket(options);
    const unmounted = new AbortController();
    socket.addEventListener('message', (event) => receive(event), unmounted);
    socket.addEventListener(
      'statechange',
      ({ state, reason, waitMs }) => {
        const known = reason instanceof ConnectRefused || reason instanceof ConnectionEnded;
        setSnapshot((before) => ({ ...before, state, waitMs, ...(known && { reason }) }));
      },
      unmounted,
    );
    latest.current = socket;
    return () => {
      // In this order: what the old socket still does is not the state of the next one.
      unmounted.abort();
      socket.close();
    };
  }, [options]);

  const send = useCallback((data: string) => latest.current?.send(data), []);
  return { ...snapshot, send };
}
