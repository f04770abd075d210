import { createContext } from 'preact';
import { useContext, useEffect, useMemo } from 'preact/hooks';
import type { Api } from './api.js';
import type { Application } from './api-types.js';
import { createFeed, type Feed } from './feed.js';
import type { LiveInterest } from './live.js';
import { useWatched } from './watched.js';

/** What every view works with. */
export interface Deps {
  api: Api;
  /** all events */
  feed: Feed;
  applications: readonly Application[];
  /** Says something shortly, also to who can't see it. */
  say: (text: string) => void;
}

export const DepsContext = createContext<Deps | undefined>(undefined);

export function useDeps(): Deps {
  const deps = useContext(DepsContext);
  if (deps === undefined) throw new Error('A view stands outside of the application.');
  return deps;
}

/** A feed of its own for a view that looks at one thing, as long as the view is there. */
export function useOwnFeed(interest: LiveInterest): Feed {
  const { api } = useDeps();
  const key = JSON.stringify(interest);
  const feed = useMemo(() => createFeed(api, JSON.parse(key) as LiveInterest), [api, key]);
  useEffect(() => () => feed.close(), [feed]);
  useWatched(feed);
  return feed;
}
