import type { Engine } from './engine.js';

/** How an engine is named, and what it takes. */
export interface EngineChoice {
  id: EngineId;
  title: string;
  what: string;
}

export type EngineId = 'register' | 'koncorde' | 'sift' | 'mingo' | 'sift-stored' | 'mingo-stored';

export const ENGINES: readonly EngineChoice[] = [
  {
    id: 'register',
    title: 'this engine',
    what: 'the stored queries; is told of an update by both documents and the changed keys',
  },
  {
    id: 'koncorde',
    title: 'koncorde',
    what: 'its own filters over flat documents; evaluates the new document, the ids are compared with those of the old one',
  },
  {
    id: 'sift',
    title: 'sift',
    what: 'one predicate a filter over flat documents; evaluates all, and compares with what matched before',
  },
  {
    id: 'mingo',
    title: 'mingo',
    what: 'one predicate a filter over flat documents; evaluates all, and compares with what matched before',
  },
  {
    id: 'sift-stored',
    title: 'sift, stored form',
    what: 'as sift, with the very queries and documents of the service, `{endpoint_id, metadata: [{key, value}]}`',
  },
  {
    id: 'mingo-stored',
    title: 'mingo, stored form',
    what: 'as mingo, with the very queries and documents of the service',
  },
];

/** Loads what it needs and nothing else: its memory is measured. */
export async function createEngine(id: EngineId, koncordeFolder: string | undefined): Promise<Engine> {
  if (id === 'register') return (await import('./register-engine.js')).createRegisterEngine();
  if (id === 'koncorde') return (await import('./koncorde-engine.js')).createKoncordeEngine(koncordeFolder!);
  const { createMingoEngine, createSiftEngine, FLAT, STORED } = await import('./predicate-engines.js');
  const form = id.endsWith('stored') ? STORED : FLAT;
  return id.startsWith('sift') ? createSiftEngine(form) : createMingoEngine(form);
}
