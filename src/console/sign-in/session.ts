import type { Answer, Fault } from '../api-types.js';
import type { Credentials, Granted } from './credentials.js';
import type { Handover } from './handover.js';
import * as places from './places.js';
import type { Provider } from './provider.js';
import type { Outcome, Pending, Person, SignInFault, SignInOffer, SignInTenant, Tokens } from './types.js';

export type SessionState =
  /** the service is asked whether somebody has to sign in */
  | { kind: 'asking' }
  /** it does not say */
  | { kind: 'away'; fault: Fault }
  /** nobody is asked who they are */
  | { kind: 'open' }
  /** on the way to the auth server, or from there */
  | { kind: 'entering' }
  /** nobody is signed in. `left`: somebody was, and went */
  | { kind: 'out'; offer: SignInOffer; fault?: SignInFault; left?: true; busy?: true }
  | { kind: 'in'; person: Person }
  /** the session has ended while somebody worked; what stands on the page stays. `dismissed`: they do not want to sign in now */
  | { kind: 'lapsed'; person: Person; fault?: SignInFault; dismissed: boolean }
  /** this window was opened to sign in, and has done so */
  | { kind: 'handed-over' };

export interface Session extends Credentials {
  readonly state: SessionState;
  /** Name of the tenant that was chosen last, in this browser. */
  readonly chosenTenant: string | undefined;
  watch(callback: () => void): () => void;
  /** Reads whether and where to sign in, and goes on from where the browser comes. */
  start(arrival: URLSearchParams | undefined): Promise<void>;
  /** Leaves the page for the auth server. */
  signIn(tenant: SignInTenant): Promise<void>;
  /** The same by a tenant's name, where they are not listed. */
  signInTo(name: string): Promise<void>;
  /** Of a lapsed session, in a window beside the page. To be called by a click, or browsers refuse the window. */
  signInBeside(): Promise<void>;
  /** Requests that wait are refused. */
  dismiss(): void;
  /** Asks again whether to sign in, after `dismiss`. */
  reopen(): void;
  signOut(): Promise<void>;
}

export interface SessionDeps {
  /** `GET /sign-in` */
  ask: (tenant?: string) => Promise<Answer<SignInOffer>>;
  provider: Provider;
  handover: Handover;
  /** address of the console without parameters, at which the auth server sends browsers back */
  home: string;
}

/** A token is renewed when so much of its time is left, or a fifth, whichever is less. */
const EARLY_MS = 20_000;
const ASK_AGAIN_MS = 3000;

export function createSession({ ask, provider, handover, home }: SessionDeps): Session {
  let state: SessionState = { kind: 'asking' };
  let tokens: Tokens | undefined;
  let renewing: Promise<Outcome<Tokens>> | undefined;
  /** those who wait until somebody has signed in again */
  const waiting: (() => void)[] = [];
  let forgetWindow: (() => void) | undefined;
  const watchers = new Set<() => void>();

  function become(next: SessionState): void {
    state = next;
    if (next.kind !== 'lapsed' || next.dismissed) for (const resolve of waiting.splice(0)) resolve();
    for (const watcher of [...watchers]) watcher();
  }

  function enter(fresh: Tokens): void {
    tokens = fresh;
    places.rememberTenant(fresh.person.tenant.name);
    become({ kind: 'in', person: fresh.person });
  }

  handover.onLeft((issuer) => {
    if (tokens?.person.tenant.issuer !== issuer) return;
    tokens = undefined;
    // what was on the page must not stay there
    location.reload();
  });

  function renew(): Promise<Outcome<Tokens>> {
    const present = tokens!;
    renewing ??= renewNow(present).finally(() => (renewing = undefined));
    return renewing;
  }

  async function renewNow(present: Tokens): Promise<Outcome<Tokens>> {
    const renewed: Outcome<Tokens> =
      present.refresh === undefined
        ? { ok: false, fault: { code: 'session-over', message: 'Your sign-in has ended.' } }
        : await provider.renew(present);
    // signed out meanwhile
    if (tokens !== present) return renewed;
    if (renewed.ok) tokens = renewed.value;
    else if (renewed.fault.code !== 'auth-server-away' && state.kind === 'in')
      become({ kind: 'lapsed', person: present.person, dismissed: false });
    return renewed;
  }

  async function findTenant(offer: SignInOffer, wanted: string): Promise<SignInTenant | undefined> {
    const listed = offer.tenants.find(({ name }) => name === wanted);
    if (listed !== undefined || offer.listed) return listed;
    const answer = await ask(wanted);
    return answer.ok ? answer.value.tenants[0] : undefined;
  }

  const hasSignedIn = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));

  async function token(): Promise<Granted> {
    if (state.kind === 'lapsed' && !state.dismissed) await hasSignedIn();
    if (tokens === undefined || state.kind !== 'in') return { token: undefined };
    const leftMs = tokens.endsAtMs - performance.now();
    if (leftMs > Math.min(EARLY_MS, tokens.lastsMs / 5)) return { token: tokens.access };
    const renewed = await renew();
    if (renewed.ok) return { token: renewed.value.access };
    if (renewed.fault.code !== 'auth-server-away') return token();
    return leftMs > 0 ? { token: tokens.access } : { fault: awayFault(renewed.fault) };
  }

  async function leaveFor(tenant: SignInTenant, silent: boolean, offer: SignInOffer): Promise<void> {
    if (!isSecureContext) return become({ kind: 'out', offer, fault: insecurePage() });
    const begun = await provider.begin(tenant, { redirectUri: home, place: location.hash, silent });
    if (!begun.ok) return become({ kind: 'out', offer, fault: begun.fault });
    become({ kind: 'entering' });
    if (!silent) places.keepChosen(tenant.name);
    places.keepPending(begun.value.pending);
    if (silent) location.replace(begun.value.url);
    else location.assign(begun.value.url);
  }

  async function arrive(
    arrival: URLSearchParams,
    pending: Pending | undefined,
    offer: SignInOffer,
  ): Promise<void> {
    if (pending === undefined || arrival.get('state') !== pending.state)
      return become({ kind: 'out', offer, fault: notBegunHere() });
    history.replaceState(null, '', `${location.pathname}${pending.place}`);
    const finished = await provider.finish(pending, arrival);
    if (finished.ok) return enter(finished.value);
    places.forgetTenant();
    // nobody asked for that sign-in: where it was not to be had there is nothing to be said
    const quiet = pending.silent && finished.fault.code === 'session-over';
    become({ kind: 'out', offer, ...(quiet ? {} : { fault: finished.fault }) });
  }

  async function finishBeside(pending: Pending, person: Person, arrival: URLSearchParams): Promise<void> {
    const finished = await provider.finish(pending, arrival);
    if (state.kind !== 'lapsed') return;
    if (!finished.ok) return become({ ...state, fault: finished.fault });
    const { subject, tenant, name } = finished.value.person;
    if (subject === person.subject && tenant.issuer === person.tenant.issuer) return enter(finished.value);
    const message = `That was ${name}, and what stands on this page is of ${person.name}. Sign in as ${person.name} to go on with it, or load the page anew.`;
    become({ ...state, fault: { code: 'another-person', message } });
  }

  return {
    get state() {
      return state;
    },
    get chosenTenant() {
      return places.chosenTenant();
    },
    watch(callback) {
      watchers.add(callback);
      return () => void watchers.delete(callback);
    },
    token,
    async replace(refused) {
      if (state.kind === 'lapsed' && !state.dismissed) await hasSignedIn();
      if (tokens === undefined || state.kind !== 'in') return false;
      if (tokens.access !== refused) return true;
      const renewed = await renew();
      if (renewed.ok) return true;
      if ((state as SessionState).kind !== 'lapsed') return false;
      await hasSignedIn();
      return (state as SessionState).kind === 'in';
    },

    async start(arrival) {
      const pending = arrival === undefined ? undefined : places.takePending();
      const begunHere = pending !== undefined && arrival?.get('state') === pending.state;
      if (arrival !== undefined && !begunHere && (await handover.offer(arrival))) {
        become({ kind: 'handed-over' });
        close();
        return;
      }
      for (;;) {
        const answer = await ask();
        if (!answer.ok) {
          become({ kind: 'away', fault: answer.fault });
          await pause(Math.max(answer.fault.retryAfterMs ?? 0, ASK_AGAIN_MS));
          continue;
        }
        const offer = answer.value;
        if (!offer.authentication) return become({ kind: 'open' });
        if (arrival !== undefined) return arrive(arrival, pending, offer);
        const left = places.hasLeft();
        const remembered = places.rememberedTenant();
        const tenant = left || remembered === undefined ? undefined : await findTenant(offer, remembered);
        if (tenant !== undefined && isSecureContext) return leaveFor(tenant, true, offer);
        return become({ kind: 'out', offer, ...(left ? { left: true } : {}) });
      }
    },

    async signIn(tenant) {
      if (state.kind !== 'out') return;
      const { offer } = state;
      become({ kind: 'out', offer, busy: true });
      await leaveFor(tenant, false, offer);
    },
    async signInTo(name) {
      if (state.kind !== 'out') return;
      const { offer } = state;
      become({ kind: 'out', offer, busy: true });
      const answer = await ask(name);
      const message = answer.ok ? `There is no tenant “${name}”.` : answer.fault.message;
      const tenant = answer.ok ? answer.value.tenants[0] : undefined;
      if (tenant === undefined) return become({ kind: 'out', offer, fault: { code: 'refused', message } });
      await leaveFor(tenant, false, offer);
    },
    async signInBeside() {
      if (state.kind !== 'lapsed') return;
      const { person } = state;
      const opened = open('', '_blank', 'popup,width=520,height=720');
      const options = { redirectUri: home, place: '', silent: false, hint: person.name };
      const begun = await provider.begin(person.tenant, options);
      if ((state as SessionState).kind !== 'lapsed') return opened?.close();
      if (!begun.ok || opened === null) {
        opened?.close();
        const fault = begun.ok ? windowBlocked() : begun.fault;
        return become({ kind: 'lapsed', person, dismissed: false, fault });
      }
      const { url, pending } = begun.value;
      forgetWindow?.();
      forgetWindow = handover.expect(pending.state, (arrival) => void finishBeside(pending, person, arrival));
      become({ kind: 'lapsed', person, dismissed: false });
      opened.location.replace(url);
    },
    dismiss() {
      if (state.kind === 'lapsed') become({ kind: 'lapsed', person: state.person, dismissed: true });
    },
    reopen() {
      if (state.kind === 'lapsed') become({ kind: 'lapsed', person: state.person, dismissed: false });
    },
    async signOut() {
      const ended = tokens;
      if (ended === undefined) return;
      places.forgetTenant();
      places.sayLeft();
      become({ kind: 'entering' });
      const form = await provider.endingForm(ended, home);
      tokens = undefined;
      handover.sayLeft(ended.person.tenant.issuer);
      if (form === undefined) location.reload();
      else submit(form);
    },
  };
}

function submit({ action, fields }: { action: string; fields: Record<string, string> }): void {
  const form = document.createElement('form');
  form.method = 'post';
  form.action = action;
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement('input');
    input.type = 'hidden';
    input.name = name;
    input.value = value;
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}

function awayFault({ message }: SignInFault): Fault {
  return { status: 0, code: 'auth-server-away', message, details: [], retryAfterMs: ASK_AGAIN_MS };
}

/** Nothing of what the address says: anybody can make a link to here. */
function notBegunHere(): SignInFault {
  const message =
    'This browser was sent here to finish a sign-in that was not begun in this tab, or was finished already. Nobody was signed in. If you did not just sign in yourself, somebody may have sent you here: begin anew.';
  return { code: 'not-begun-here', message };
}

function windowBlocked(): SignInFault {
  const message = 'The browser did not open a window to sign in. Let this page open windows, and try again.';
  return { code: 'window-blocked', message };
}

function insecurePage(): SignInFault {
  const message = `Browsers let a page sign somebody in only when it came by HTTPS, or from this computer (localhost). This one came from ${location.origin}.`;
  return { code: 'insecure-page', message };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
