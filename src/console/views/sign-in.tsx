import { useEffect, useRef, useState } from 'preact/hooks';
import { SelectField, TextField } from '../parts/field.js';
import { ThemeButton } from '../parts/theme-button.js';
import { knownAddress, type Session, type SessionState, type SignInTenant } from '../sign-in/index.js';

type Out = Extract<SessionState, { kind: 'out' }>;

/** Who is not signed in chooses the tenant, if there are several, and goes to its auth server. */
export function SignIn({ session, state }: { session: Session; state: Out }) {
  const { offer, fault, left, busy = false } = state;
  const chosen = session.chosenTenant;
  const known = knownAddress(offer, new URL('.', document.baseURI).href);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = 'Sign in · Endpoint register';
    heading.current?.focus();
  }, []);
  return (
    <main id="main" class="sign-in" tabIndex={-1}>
      <div class="sign-in-top">
        <p class="brand">Endpoint register</p>
        <ThemeButton />
      </div>
      <section class="panel pad sign-in-panel" aria-labelledby="sign-in-title">
        <h1 id="sign-in-title" ref={heading} tabIndex={-1}>
          {left === true ? 'You are signed out' : 'Sign in'}
        </h1>
        {fault !== undefined && (
          <div class="note note-fault" role="alert">
            <p>{fault.message}</p>
          </div>
        )}
        {known !== undefined && (
          <div class="note" role="note">
            <p>
              This page was opened at <span class="data">{location.origin}</span>. The auth server may lead
              back to the register's public address only: go on at <a href={known + location.hash}>{known}</a>
              .
            </p>
          </div>
        )}
        {!offer.listed ? (
          <NamedTenant first={chosen ?? ''} busy={busy} onName={(name) => void session.signInTo(name)} />
        ) : offer.tenants.length === 0 ? (
          <p>
            No tenant is known to the register, so nobody can sign in. Whoever runs it adds one: the settings
            below <code>kaa.tenants</code>.
          </p>
        ) : (
          <ListedTenants
            tenants={offer.tenants}
            first={chosen}
            busy={busy}
            onChoose={(tenant) => void session.signIn(tenant)}
          />
        )}
      </section>
    </main>
  );
}

interface ListedProps {
  tenants: readonly SignInTenant[];
  /** name of the one that is chosen at first, if it is among them */
  first: string | undefined;
  busy: boolean;
  onChoose: (tenant: SignInTenant) => void;
}

function ListedTenants({ tenants, first, busy, onChoose }: ListedProps) {
  const [name, setName] = useState(first);
  const tenant = tenants.find((each) => each.name === name) ?? tenants[0]!;
  return (
    <form
      class="sign-in-form"
      onSubmit={(event) => {
        event.preventDefault();
        onChoose(tenant);
      }}
    >
      {tenants.length > 1 && (
        <SelectField
          label="Tenant"
          value={tenant.name}
          choices={tenants.map((each) => ({ value: each.name, text: each.name }))}
          onChoose={setName}
        />
      )}
      <Go busy={busy} />
      <p class="hint">
        You sign in at <span class="data">{new URL(tenant.issuer).host}</span> and come back here. This page
        never sees your password.
      </p>
    </form>
  );
}

interface NamedProps {
  first: string;
  busy: boolean;
  onName: (name: string) => void;
}

function NamedTenant({ first, busy, onName }: NamedProps) {
  const [name, setName] = useState(first);
  return (
    <form
      class="sign-in-form"
      onSubmit={(event) => {
        event.preventDefault();
        onName(name.trim());
      }}
    >
      <TextField
        label="Tenant"
        value={name}
        onText={setName}
        required
        code
        hint="Who runs the register knows the name of yours."
      />
      <Go busy={busy} />
    </form>
  );
}

function Go({ busy }: { busy: boolean }) {
  return (
    <button type="submit" class="button button-primary sign-in-go" disabled={busy}>
      {busy ? 'Going there …' : 'Sign in'}
    </button>
  );
}

/** The window that a page opened to sign in, where the browser does not let it close itself. */
export function HandedOver() {
  useEffect(() => {
    document.title = 'Signed in · Endpoint register';
  }, []);
  return (
    <main id="main" class="sign-in">
      <section class="panel pad sign-in-panel">
        <h1>Done</h1>
        <p role="status">The page that you came from goes on. This window can be closed.</p>
      </section>
    </main>
  );
}
