import { byId } from './dom.ts';
import { basic, EXISTING_LOGIN, type Login, loginBy, type Service } from './service.ts';
import { refusedOf, toldOfRefusal } from './told.ts';

/** Where this tab keeps its login, so that a reload stays signed in. It ends with the tab, or by signing out. */
const KEPT = 'oncegate-login';

interface Kept {
  readonly who: string;
  readonly login: Login;
}

/**
 * Sets up the form for credentials.
 *
 * @param onChange called with the name of the user who has signed in, or with undefined after signing out
 * @returns signs in with what is in the form, if nobody is signed in. It does nothing after the user has signed out,
 *   and never takes the browser's login unasked
 */
export function setUpSignIn(service: Service, onChange: (name: string | undefined) => void): () => Promise<void> {
  const form = byId('sign-in', HTMLFormElement);
  const name = byId('name', HTMLInputElement);
  const password = byId('password', HTMLInputElement);
  const token = byId('token', HTMLInputElement);
  const problem = byId('sign-in-problem', HTMLElement);
  let hasSignedOut = false;
  fillFromAddress(name, password);

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (await submit()) byId('connect', HTMLButtonElement).focus();
  });

  function submit(): Promise<boolean> {
    const byToken = token.value.trim();
    if (byToken !== '') return enter(loginBy(`Bearer ${byToken}`), 'the owner of a token', token);
    return enter(loginBy(basic(name.value, password.value)), name.value, password);
  }

  const existing = byId('existing', HTMLButtonElement);
  existing.addEventListener('click', async () => {
    const hasEntered = await enter(EXISTING_LOGIN, 'the owner of this browser’s login', existing);
    if (hasEntered) byId('connect', HTMLButtonElement).focus();
  });

  async function enter(login: Login, who: string, toFocus?: HTMLElement): Promise<boolean> {
    problem.textContent = '';
    try {
      await service.signIn(login);
    } catch (error) {
      sessionStorage.removeItem(KEPT);
      if (toFocus === undefined) return false;
      const { code, where, advice } = toldOfRefusal(refusedOf(error));
      problem.textContent = `${code} (${where}). ${advice}`;
      toFocus.focus();
      return false;
    }
    token.value = '';
    sessionStorage.setItem(KEPT, JSON.stringify({ who, login } satisfies Kept));
    show(who);
    return true;
  }

  byId('sign-out', HTMLButtonElement).addEventListener('click', () => {
    service.signOut();
    sessionStorage.removeItem(KEPT);
    hasSignedOut = true;
    show(undefined);
    name.focus();
  });

  function show(who: string | undefined): void {
    form.hidden = who !== undefined;
    byId('signed-in', HTMLElement).hidden = who === undefined;
    byId('who', HTMLElement).textContent = who ?? '';
    onChange(who);
  }

  const kept = sessionStorage.getItem(KEPT);
  let entering: Promise<unknown> = Promise.resolve();
  // Credentials in the address are newer.
  if (kept !== null && password.value === '') {
    const { who, login }: Kept = JSON.parse(kept);
    entering = enter(login, who);
  }

  return async () => {
    await entering;
    if (service.isSignedIn || hasSignedOut) return;
    if (token.value !== '' || password.value !== '') await submit();
  };
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
