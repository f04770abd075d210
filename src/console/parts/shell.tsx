import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { useDeps, useFeed } from '../deps.js';
import { routeHref, type Route } from '../route.js';
import { applyTheme, nextTheme, readTheme } from '../theme.js';
import { LiveBadge } from './live-badge.js';

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
  useFeed(feed);
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

function ThemeButton() {
  const [theme, setTheme] = useState(readTheme);
  return (
    <button
      type="button"
      class="button button-small"
      aria-label={`Colours: ${theme}. Change`}
      onClick={() => {
        const next = nextTheme(theme);
        applyTheme(next);
        setTheme(next);
      }}
    >
      {theme === 'system' ? '◐' : theme === 'light' ? '☀' : '☾'} <span class="wide-only">{theme}</span>
    </button>
  );
}
