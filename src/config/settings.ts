/** The one table of settings. Reading, variables, errors, `epr config` and the documentation all come from it. */
import { limitSettings } from './limit-settings.js';
import { platformSettings } from './platform-settings.js';
import { serviceSettings } from './service-settings.js';
import type { Setting } from './setting.js';

export const settings: readonly Setting[] = [...serviceSettings, ...limitSettings, ...platformSettings];

/** Parts of the tree whose names users choose; in the environment each is one variable holding JSON. */
export const namedRoots: readonly string[] = [
  ...new Set(settings.flatMap(({ key }) => (key.includes('<') ? [key.slice(0, key.indexOf('.<'))] : []))),
];
