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
  /** Why the last attempt was refused, or the last connection ended. It stays when the connection is back. */
  readonly reason?: ConnectRefused | ConnectionEnded;
  /** While `waiting`: milliseconds from the start of the wait to the next attempt. */
  readonly waitMs?: number | undefined;
}

export interface Connection extends Snapshot {
  /** @throws {DOMException} `InvalidStateError` while it is not open, unless there is a `bufferBytes` */
  readonly send: (data: string) => void;
}

/**
 * A connection for as long as the component is mounted. Values that change between attempts belong in
 * providers (`headers`, `path`, `claims`).
 *
 * @param options another object makes another connection: keep it outside of the component, or in `useMemo`
 * @param onMessage may be a new function in every rendering; the latest one is called
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
      // In this order, so that events of the old socket do not change the state of the next one.
      unmounted.abort();
      socket.close();
    };
  }, [options]);

  const send = useCallback((data: string) => latest.current?.send(data), []);
  return { ...snapshot, send };
}
