import { byId, make } from './dom.ts';
import { Play } from './play.ts';
import { type Scenario, scenarios } from './scenarios.ts';
import { type Facts, Service } from './service.ts';
import { setUpSignIn } from './sign-in.ts';
import { Stage } from './stage.ts';
import { Talk } from './talk.ts';
import { refusedOf, type Told, toldOfRefusal } from './told.ts';

const service = new Service();
const facts = await service.facts();
const stage = new Stage(service, facts);
const talk = new Talk(service, stage, () => ensureSignedIn());
showFacts(facts);
const ensureSignedIn = setUpSignIn(service, (name) => {
  if (name === undefined) talk.close();
});
byId('scenarios', HTMLOListElement).append(...scenarios.map((scenario) => make('li', '', buttonOf(scenario))));

function showFacts(facts: Facts): void {
  const { gateway_url: gatewayUrl, ttl_seconds: ttlSeconds, demo_user: demoUser } = facts;
  byId('gateway', HTMLElement).textContent = gatewayUrl;
  byId('ttl', HTMLElement).textContent = `${ttlSeconds} s`;
  byId('demo-hint', HTMLElement).hidden = demoUser === null;
  byId('existing', HTMLButtonElement).hidden = !facts.existing_login;
  if (demoUser !== null) byId('name', HTMLInputElement).placeholder = demoUser;
  const gatewayHost = new URL(gatewayUrl).hostname;
  if (gatewayHost === 'localhost' && location.hostname !== gatewayHost) {
    byId('elsewhere', HTMLElement).hidden = false;
    byId('here', HTMLElement).textContent = location.hostname;
    const link = byId('there', HTMLAnchorElement);
    link.href = `${location.protocol}//${gatewayHost}:${location.port}/`;
    link.textContent = `${gatewayHost}:${location.port}`;
  }
}

function buttonOf(scenario: Scenario): HTMLButtonElement {
  const { id, title, hint } = scenario;
  const result = make('span', 'scenario-result');
  const button = make(
    'button',
    'scenario',
    make('span', 'scenario-title', title),
    make('span', 'scenario-hint', hint),
    result,
  );
  button.type = 'button';
  button.id = `try-${id}`;
  button.addEventListener('click', async () => {
    if (button.ariaDisabled === 'true') return;
    setBusy(true, button);
    try {
      const told = await perform(scenario);
      if (told !== undefined) {
        result.textContent = told.where.replace(/^\D*(?=\d)/, '');
        button.dataset.done = 'true';
        showNext();
      }
    } finally {
      setBusy(false, button);
    }
  });
  return button;
}

/** Shows the way on, once every scenario that this service can simulate has been tried. */
function showNext(): void {
  const next = byId('next', HTMLElement);
  const possible = scenarios.filter(({ simulation }) => !simulation || facts.simulations.includes(simulation.name));
  const done = document.querySelectorAll('.scenario[data-done]');
  if (!next.hidden || done.length < possible.length) return;
  byId('next-address', HTMLElement).textContent = new URL('/tickets', location.href).href;
  next.hidden = false;
}

/** One scenario at a time. `aria-disabled` leaves the focus on the button, which `disabled` would not. */
function setBusy(busy: boolean, current: HTMLButtonElement): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>('.scenario')) {
    button.ariaDisabled = String(busy);
    button.ariaCurrent = String(button === current);
  }
}

async function perform({ title, simulation, run, settle }: Scenario): Promise<Told | undefined> {
  await ensureSignedIn();
  const act = stage.begin(title);
  if (simulation !== undefined && !facts.simulations.includes(simulation.name)) {
    act.byHand(simulation.byHand);
    return undefined;
  }
  const play = new Play(service, act, facts);
  // If nobody is signed in, the service itself says so.
  const told = await run(play).catch((error: unknown) => toldOfRefusal(refusedOf(error)));
  play.end();
  act.tell(told);
  act.refresh();
  await settle?.(play);
  act.refresh();
  return told;
}
