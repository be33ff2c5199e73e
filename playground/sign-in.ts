import { byId } from './dom.ts';
import { basic, type Service } from './service.ts';
import { refusedOf, toldOfRefusal } from './told.ts';

/** The form that credentials are typed into; `onChange` hears who is signed in from now on, if anybody. */
export function setUpSignIn(service: Service, onChange: (name: string | undefined) => void): void {
  const form = byId('sign-in', HTMLFormElement);
  const name = byId('name', HTMLInputElement);
  const password = byId('password', HTMLInputElement);
  const token = byId('token', HTMLInputElement);
  const problem = byId('sign-in-problem', HTMLElement);
  fillFromAddress(name, password);

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    problem.textContent = '';
    const byToken = token.value.trim();
    try {
      if (byToken === '') await service.signIn(name.value, basic(name.value, password.value));
      else await service.signIn(undefined, `Bearer ${byToken}`);
    } catch (error) {
      const { code, where, advice } = toldOfRefusal(refusedOf(error));
      problem.textContent = `${code} (${where}). ${advice}`;
      (byToken === '' ? password : token).focus();
      return;
    }
    token.value = '';
    show(service.name ?? 'the owner of a token');
    byId('connect', HTMLButtonElement).focus();
  });

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

/** `#name:password`, as the start of the process prints it. It is taken out of the address, and so out of the history. */
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
