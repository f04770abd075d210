import { routeHref } from '../route.js';
import { usePerson } from '../session-context.js';
import { Empty } from './basics.js';

/** In the place of what there would be of applications: who asks may read none, or there is none. */
export function NoApplication() {
  if (usePerson() !== undefined)
    return (
      <Empty title="No application is granted to you.">
        <p>
          Single endpoints that you may read are in the <a href={routeHref(['fleet'])}>fleet</a>.
        </p>
      </Empty>
    );
  return (
    <Empty title="There is no application yet.">
      <p>
        Applications and their versions come from the configuration: <code>kaa.applications</code>, or Tekton.
      </p>
    </Empty>
  );
}
