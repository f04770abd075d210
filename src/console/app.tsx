import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Api } from './api.js';
import { DepsContext } from './deps.js';
import type { Feed } from './feed.js';
import { useLoad } from './load.js';
import { listApplications } from './operations.js';
import { Empty, Loading } from './parts/basics.js';
import { FaultNote } from './parts/fault-note.js';
import { Shell } from './parts/shell.js';
import { useRoute } from './router.js';
import { routeHref, type Route } from './route.js';
import { usePerson } from './session-context.js';
import { EndpointView } from './views/endpoint.js';
import { FilterEditor } from './views/filter-editor.js';
import { FilterView } from './views/filter.js';
import { Filters } from './views/filters.js';
import { Fleet } from './views/fleet.js';
import { Overview } from './views/overview.js';

const SAID_MS = 5000;

export function App({ api, feed }: { api: Api; feed: Feed }) {
  const route = useRoute();
  const [said, setSaid] = useState('');
  const applications = useLoad('applications', (signal) => listApplications(api, signal));
  const say = useCallback((text: string) => setSaid(text), []);
  useEffect(() => {
    if (said === '') return;
    const timer = setTimeout(() => setSaid(''), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);
  const content = applications.value?.content;
  const deps = useMemo(() => ({ api, feed, applications: content ?? [], say }), [api, feed, content, say]);
  const person = usePerson();
  useArrival(route);
  return (
    <DepsContext.Provider value={deps}>
      <Shell route={route} said={said}>
        {content !== undefined ? (
          <>
            {content.length === 0 && person !== undefined && <NothingGranted name={person.name} />}
            <View route={route} />
          </>
        ) : applications.fault === undefined ? (
          <Loading what="the applications" />
        ) : (
          <FaultNote fault={applications.fault} onRetry={applications.reload} />
        )}
      </Shell>
    </DepsContext.Provider>
  );
}

/** Else who has no rights yet would take the register for empty. */
function NothingGranted({ name }: { name: string }) {
  return (
    <div class="note" role="status">
      <p>
        No application is granted to <bdi>{name}</bdi>, so there is little to see. To read one takes{' '}
        <code class="code">application:read</code> on <code class="code">application-&lt;name&gt;</code>, and
        to see its endpoints <code class="code">endpoint:read</code>; who looks after the rights of your
        tenant can give you both.
      </p>
    </div>
  );
}

function View({ route: { path, params } }: { route: Route }) {
  const [place, first, second, third] = path;
  const dots = path.find((part) => part === '.' || part === '..');
  // as part of a URL it would ask for something else
  if (dots !== undefined)
    return <NotHere title={`“${dots}” is no ${place === 'endpoints' ? 'endpoint id' : 'name or id'}.`} />;
  if (place === undefined) return <Overview />;
  if (place === 'fleet' && first === undefined) return <Fleet params={params} />;
  if (place === 'endpoints' && first !== undefined && second === undefined)
    return <EndpointView key={first} id={first} />;
  if (place === 'filters') {
    if (first === undefined) return <Filters params={params} />;
    if (second === 'new' && third === undefined)
      return <FilterEditor key={first} app={first} id={undefined} />;
    if (second !== undefined && third === 'edit')
      return <FilterEditor key={second} app={first} id={second} />;
    if (second !== undefined && third === undefined)
      return <FilterView key={second} app={first} id={second} />;
  }
  return <NotHere title="There is nothing at this address of the console." />;
}

function NotHere({ title }: { title: string }) {
  return (
    <>
      <h1 tabIndex={-1}>Not here</h1>
      <Empty title={title}>
        <a class="button" href={routeHref([])}>
          Overview
        </a>
      </Empty>
    </>
  );
}

/** At another view: the title says where, and who uses a keyboard or a screen reader is there, not at the link before. */
function useArrival({ path }: Route): void {
  const key = path.join('/');
  const arrived = useRef(false);
  useEffect(() => {
    const name = path.length === 0 ? 'Overview' : path.slice(-2).join(' / ');
    document.title = `${name.charAt(0).toUpperCase()}${name.slice(1)} · Endpoint register`;
    if (arrived.current) {
      scrollTo(0, 0);
      (document.querySelector<HTMLElement>('main h1') ?? document.getElementById('main'))?.focus({
        preventScroll: true,
      });
    }
    arrived.current = true;
  }, [key]);
}
