import { byId } from './dom.ts';
import { basic, EXISTING_LOGIN, loginBy, type Service } from './service.ts';
import { refusedOf, toldOfRefusal } from './told.ts';

/**
 * Sets up the form for credentials.
 *
 * @param onChange called with the name of the user who has signed in, or with undefined after signing out
 */
export function setUpSignIn(service: Service, onChange: (name: string | undefined) => void): void {
  const form = byId('sign-in', HTMLFormElement);
  const name = byId('name', HTMLInputElement);
  const password = byId('password', HTMLInputElement);
  const token = byId('token', HTMLInputElement);
  const problem = byId('sign-in-problem', HTMLElement);
  fillFromAddress(name, password);

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const byToken = token.value.trim();
    const authorization = basic(name.value, password.value);
    if (byToken === '') await enter(service.signIn(loginBy(authorization)), name.value, password);
    else await enter(service.signIn(loginBy(`Bearer ${byToken}`)), 'the owner of a token', token);
  });

  const existing = byId('existing', HTMLButtonElement);
  existing.addEventListener('click', () =>
    enter(service.signIn(EXISTING_LOGIN), 'the owner of this browser’s login', existing),
  );

  async function enter(signedIn: Promise<void>, who: string, toFocus: HTMLElement): Promise<void> {
    problem.textContent = '';
    try {
      await signedIn;
    } catch (error) {
      const { code, where, advice } = toldOfRefusal(refusedOf(error));
      problem.textContent = `${code} (${where}). ${advice}`;
      toFocus.focus();
      return;
    }
    token.value = '';
    show(who);
    byId('connect', HTMLButtonElement).focus();
  }

  byId('sign-out', HTMLButtonElement).addEventListener('click', () => {
    service.signOut();
    show(undefined);
    name.focus();
  });

  function show(who: string | undefined): void {
    form.hidden = who !== undefined;
    byId('signed-in', HTMLElement).hidden = who === undefined;
    byId('who', HTMLElement).textContent = who ?? '';
    onChange(who);
  }
}

/** Takes `#name:password`, as the process prints it, out of the address, and so out of the browser's history. */
function fillFromAddress(name: HTMLInputElement, password: HTMLInputElement): void {
  const [, user, secret] = /^#([^:]+):(.+)$/.exec(location.hash) ?? [];
  if (user === undefined || secret === undefined) return;
  name.value = decoded(user);
  password.value = decoded(secret);
  history.replaceState(null, '', location.pathname);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
