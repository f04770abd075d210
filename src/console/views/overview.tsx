import { useEffect } from 'preact/hooks';
import type { Application } from '../api-types.js';
import { useDeps } from '../deps.js';
import { nowS } from '../feed.js';
import { formatName, formatNumber } from '../format.js';
import { useLoad, useThrottled } from '../load.js';
import { listEndpoints, listFilters } from '../operations.js';
import { EventList, NO_EVENTS_GRANTED } from '../parts/event-list.js';
import { FaultNote } from '../parts/fault-note.js';
import { NoApplication } from '../parts/no-application.js';
import { RateChart } from '../parts/rate-chart.js';
import { routeHref } from '../route.js';
import { useWatched } from '../watched.js';

const SHOWN_APPLICATIONS = 20;
const COUNTS_AGAIN_MS = 3000;
const SHOWN_EVENTS = 25;
const RECENT_S = 10;

/** How the register is, now and over the last minutes. */
export function Overview() {
  const { feed, applications } = useDeps();
  useWatched(feed);
  // of a service that does not tell, nothing is known
  const recent = feed.state.kind === 'live' ? feed.rates.recent(nowS(), RECENT_S) : undefined;
  const shown = applications.slice(0, SHOWN_APPLICATIONS);
  return (
    <>
      <h1 tabIndex={-1}>Overview</h1>
      <section class="panel" aria-label="Updates and matches a second">
        <header class="panel-head">
          <h2>Updates and matches a second</h2>
        </header>
        <dl class="figures">
          <div>
            <dt class="series-1">Updates/s</dt>
            <dd>{recent === undefined ? '–' : formatNumber(recent.updates)}</dd>
          </div>
          <div>
            <dt class="series-2">Matches/s</dt>
            <dd>{recent === undefined ? '–' : formatNumber(recent.matches)}</dd>
          </div>
          <div>
            <dt>Events seen</dt>
            <dd>{formatNumber(feed.total)}</dd>
          </div>
        </dl>
        <RateChart feed={feed} />
        {feed.state.kind === 'reconnecting' && (
          <p class="note note-warn">{feed.state.reason} Trying again.</p>
        )}
        {feed.state.kind === 'denied' && <p class="note">Live events are not granted. {feed.state.reason}</p>}
        <p class="hint">
          A match is an endpoint that begins or ends to match a saved filter.{' '}
          {`The figures are of the last ${RECENT_S} s.`}
        </p>
      </section>
      <div class="columns columns-turned">
        <section class="panel" aria-label="Applications">
          <header class="panel-head">
            <h2>Applications</h2>
          </header>
          {shown.length === 0 ? (
            <NoApplication />
          ) : (
            <div class="table-frame">
              <table>
                <caption class="visually-hidden">Applications</caption>
                <thead>
                  <tr>
                    <th scope="col">Application</th>
                    <th scope="col" class="number">
                      Endpoints
                    </th>
                    <th scope="col" class="number">
                      Filters
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {shown.map((application) => (
                    <ApplicationRow key={application.name} application={application} />
                  ))}
                </tbody>
              </table>
            </div>
          )}
          {applications.length > shown.length && (
            <p class="hint">{applications.length - shown.length} more are not shown here.</p>
          )}
        </section>
        <EventList
          label="Newest events"
          events={feed.newest}
          brief
          limit={SHOWN_EVENTS}
          empty={
            feed.state.kind === 'denied'
              ? NO_EVENTS_GRANTED
              : 'Nothing has happened since this page was opened. Every change of an endpoint or a filter appears here.'
          }
        />
      </div>
    </>
  );
}

function ApplicationRow({ application }: { application: Application }) {
  const { name } = application;
  const { api, feed } = useDeps();
  const endpoints = useLoad(`endpoints ${name}`, (signal) =>
    listEndpoints(api, { applicationName: name, limit: 1 }, signal),
  );
  const filters = useLoad(`filters ${name}`, (signal) => listFilters(api, name, { limit: 1 }, signal));
  const countAgain = useThrottled(() => {
    endpoints.reload();
    filters.reload();
  }, COUNTS_AGAIN_MS);
  useEffect(
    () =>
      feed.listen((events) => {
        if (events.some(({ type }) => COUNTED.has(type))) countAgain();
      }),
    [feed, countAgain],
  );
  useEffect(countAgain, [feed.missed, countAgain]);
  const fault = endpoints.fault ?? filters.fault;
  return (
    <>
      <tr>
        <th scope="row">{formatName(application)}</th>
        <td class="number">
          <a href={routeHref(['fleet'], { app: name })} aria-label={`Endpoints of ${name}`}>
            {endpoints.value === undefined ? '…' : formatNumber(endpoints.value.totalElements)}
          </a>
        </td>
        <td class="number">
          <a href={routeHref(['filters'], { app: name })} aria-label={`Filters of ${name}`}>
            {filters.value === undefined ? '…' : formatNumber(filters.value.totalElements)}
          </a>
        </td>
      </tr>
      {fault !== undefined && (
        <tr>
          <td colSpan={3}>
            <FaultNote fault={fault} again />
          </td>
        </tr>
      )}
    </>
  );
}

/** What changes how many there are. */
const COUNTED = new Set(['registered', 'unregistered', 'filter-pending', 'filter-deleted']);
