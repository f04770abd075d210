import type { ComponentChildren } from 'preact';
import { useDeps } from '../deps.js';
import { routeHref, type Route } from '../route.js';
import { Account } from './account.js';
import { LiveBadge } from './live-badge.js';
import { ThemeButton } from './theme-button.js';
import { useWatched } from '../watched.js';

const PLACES: readonly [name: string, path: string, text: string][] = [
  ['overview', '', 'Overview'],
  ['fleet', 'fleet', 'Fleet'],
  ['filters', 'filters', 'Filters'],
];

/** What stands around every view. */
export function Shell({
  route,
  said,
  children,
}: {
  route: Route;
  said: string;
  children: ComponentChildren;
}) {
  const { feed } = useDeps();
  useWatched(feed);
  const here = route.path[0] === 'endpoints' ? 'fleet' : (route.path[0] ?? '');
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById('main')?.focus();
        }}
      >
        Skip to the content
      </a>
      <header class="bar">
        <a class="brand" href={routeHref([])}>
          Endpoint register
        </a>
        <nav aria-label="Main">
          {PLACES.map(([name, path, text]) => (
            <a
              key={name}
              href={routeHref(path === '' ? [] : [path])}
              aria-current={here === path ? 'page' : undefined}
            >
              {text}
            </a>
          ))}
        </nav>
        <div class="bar-tools">
          <LiveBadge state={feed.state} />
          <ThemeButton />
          <Account />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      <p class="said" role="status" aria-live="polite">
        {said}
      </p>
    </>
  );
}
