import { type FormEvent, useState } from 'react';
import { options, signIn } from './session.ts';
import { type Connection, useOncegateSocket } from './use-oncegate-socket.ts';

export function App() {
  const [visit, setVisit] = useState(0);
  const [lines, setLines] = useState<readonly string[]>([]);
  const add = (line: string) => setLines((before) => [...before, line]);
  return (
    <main>
      {/* Another key makes another connection: the way back after a final refusal. */}
      <Echo key={visit} add={add} onConnectAgain={() => setVisit(visit + 1)} />
      <div role="log" aria-label="What was said">
        <ol>
          {lines.map((line, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines are only ever added at the end
            <li key={index}>{line}</li>
          ))}
        </ol>
      </div>
    </main>
  );
}

function Echo({ add, onConnectAgain }: { add: (line: string) => void; onConnectAgain: () => void }) {
  const connection = useOncegateSocket(options, ({ data }) => add(`←\u00a0${data}`));
  const { state, send } = connection;
  return (
    <>
      <header>
        <h1>Oncegate with React</h1>
        <Status {...connection} />
        {state === 'closed' && (
          <button type="button" onClick={onConnectAgain}>
            Connect
          </button>
        )}
      </header>
      {state === 'signing_in' && <SignIn />}
      <Say
        disabled={state !== 'open'}
        say={(text) => {
          send(text);
          add(`→\u00a0${text}`);
        }}
      />
    </>
  );
}

function Status({ state, reason, waitMs }: Omit<Connection, 'send'>) {
  const wait = waitMs === undefined ? '' : `, next attempt in ${(waitMs / 1000).toFixed(1)} s`;
  return (
    <p className="status" data-state={state}>
      <b role="status">{state.replace('_', ' ') + wait}</b>
      {reason && (
        <small>
          {state === 'open' ? 'before that: ' : ''}
          {reason.message}
        </small>
      )}
    </p>
  );
}

function SignIn() {
  return (
    <form
      onSubmit={(event) => {
        const { name = '', password = '' } = fieldsOf(event);
        signIn(name, password);
      }}
    >
      <label>
        Name <input name="name" autoComplete="username" required />
      </label>
      <label>
        Password <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <button type="submit">Sign in</button>
    </form>
  );
}

function Say({ disabled, say }: { disabled: boolean; say: (text: string) => void }) {
  return (
    <form
      onSubmit={(event) => {
        const { text = '' } = fieldsOf(event);
        say(text);
        event.currentTarget.reset();
      }}
    >
      <label>
        Message <input name="text" autoComplete="off" required />
      </label>
      <button type="submit" disabled={disabled}>
        Send
      </button>
    </form>
  );
}

/** The fields of a form, which is not submitted. */
function fieldsOf(event: FormEvent<HTMLFormElement>): Partial<Record<string, string>> {
  event.preventDefault();
  const fields = [...new FormData(event.currentTarget)].map(([name, value]) => [name, String(value)] as const);
  return Object.fromEntries(fields);
}
