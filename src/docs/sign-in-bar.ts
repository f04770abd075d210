import { knownAddress, type Session } from '../console/sign-in/index.js';

/** Above the operations: who tries them out. Nothing where the register asks nobody. */
export function showSignInBar(session: Session, bar: HTMLElement): void {
  const text = document.createElement('span');
  const button = document.createElement('button');
  button.type = 'button';
  bar.setAttribute('role', 'status');
  const draw = (): void => {
    const { state } = session;
    bar.replaceChildren();
    switch (state.kind) {
      case 'out': {
        const { offer, fault } = state;
        text.textContent =
          fault?.message ??
          (offer.listed
            ? 'The register asks who is there: sign in to try operations out.'
            : 'The register asks who is there. Sign in to its console, and come back: you are known here then.');
        bar.append(text);
        const known = knownAddress(offer, new URL('.', document.baseURI).href);
        if (known !== undefined) {
          const link = document.createElement('a');
          link.href = known;
          link.textContent = `The auth server may lead back to the register's public address only: ${known}`;
          bar.append(link);
        }
        for (const tenant of offer.tenants) {
          const choice = document.createElement('button');
          choice.type = 'button';
          choice.textContent = offer.tenants.length > 1 ? `Sign in to ${tenant.name}` : 'Sign in';
          choice.disabled = state.busy === true;
          choice.onclick = () => void session.signIn(tenant);
          bar.append(choice);
        }
        return;
      }
      case 'in':
        text.textContent = `What you try out is done as ${state.person.name}.`;
        button.textContent = 'Sign out';
        button.onclick = () => void session.signOut();
        bar.append(text, button);
        return;
      case 'lapsed':
        text.textContent = state.fault?.message ?? 'Your sign-in has ended.';
        button.textContent = 'Sign in';
        button.onclick = () => void session.signInBeside();
        bar.append(text, button);
        return;
      case 'handed-over':
        text.textContent = 'The page that you came from goes on. This window can be closed.';
        bar.append(text);
        return;
      case 'away':
        text.textContent = state.fault.message;
        bar.append(text);
        return;
      case 'asking':
      case 'entering':
      case 'open':
    }
  };
  session.watch(draw);
  draw();
}
