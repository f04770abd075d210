import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../filters/fuzz/random.js';

/** A process that gets killed and paused. */
export interface Target {
  name: string;
  /** it is killed while it starts, too */
  diesInStart: boolean;
  pid(): number;
  /** SIGKILL, and wait for the end */
  kill(): Promise<void>;
  /** Rejects when it ends before it is ready. */
  restart(): Promise<void>;
}

export interface NemesisPlan {
  /** SIGKILLs in all */
  kills: number;
  /** longest time without a fault, that a process stays away, and that it is paused */
  calmMs: number;
  awayMs: number;
  pauseMs: number;
  /** writes that are acknowledged between two faults, so that a slow machine has something to lose, too */
  writesBetween: number;
}

export interface Nemesis {
  /** Resolves when all kills are done and every process runs. */
  run(plan: NemesisPlan): Promise<void>;
  kills(): ReadonlyMap<string, number>;
  pauses(): ReadonlyMap<string, number>;
}

const LEAST_CALM_MS = 100;
/** What a process needs may be away itself; on a busy machine for long. */
const START_LIMIT_MS = 120_000;
const START_AGAIN_MS = 200;
const LOOK_MS = 20;
/** Then it goes on without. */
const WRITES_LIMIT_MS = 20_000;

export interface NemesisDeps {
  targets: readonly Target[];
  random: Random;
  /** writes acknowledged so far */
  acknowledged: () => number;
  /** is told of each fault as it begins */
  tell: (text: string) => void;
}

/**
 * One fault after the other: a process is killed, or paused, or two at once; a register sometimes while it starts.
 */
export function createNemesis({ targets, random, acknowledged, tell }: NemesisDeps): Nemesis {
  const kills = new Map<string, number>();
  const pauses = new Map<string, number>();
  let left = 0;

  async function kill(target: Target): Promise<void> {
    left--;
    kills.set(target.name, (kills.get(target.name) ?? 0) + 1);
    tell(`SIGKILL ${target.name}`);
    await target.kill();
  }

  async function killAndStart(target: Target, { awayMs }: NemesisPlan): Promise<void> {
    await kill(target);
    await sleep(random.below(awayMs));
    if (target.diesInStart && left > 0 && random.chance(20)) {
      const starting = target.restart().catch(() => undefined);
      await sleep(random.below(1500));
      await kill(target);
      await starting;
    }
    await start(target);
  }

  async function start(target: Target): Promise<void> {
    const deadline = performance.now() + START_LIMIT_MS;
    for (;;) {
      try {
        return await target.restart();
      } catch (error) {
        if (performance.now() > deadline) throw error;
        tell(`${target.name} did not start: ${(error as Error).message}`);
        await sleep(START_AGAIN_MS);
      }
    }
  }

  async function pause(target: Target, { pauseMs }: NemesisPlan): Promise<void> {
    const ms = random.below(pauseMs);
    pauses.set(target.name, (pauses.get(target.name) ?? 0) + 1);
    tell(`pause ${target.name} ${ms} ms`);
    process.kill(target.pid(), 'SIGSTOP');
    try {
      await sleep(ms);
    } finally {
      process.kill(target.pid(), 'SIGCONT');
    }
  }

  async function calm({ calmMs, writesBetween }: NemesisPlan): Promise<void> {
    const before = acknowledged();
    const deadline = performance.now() + WRITES_LIMIT_MS;
    await sleep(LEAST_CALM_MS + random.below(calmMs));
    while (acknowledged() - before < writesBetween && performance.now() < deadline) await sleep(LOOK_MS);
  }

  const fault = (target: Target, plan: NemesisPlan) =>
    random.chance(70) ? killAndStart(target, plan) : pause(target, plan);

  return {
    kills: () => kills,
    pauses: () => pauses,
    async run(plan) {
      left = plan.kills;
      while (left > 0) {
        await calm(plan);
        const first = random.pick(targets);
        const second = random.pick(targets);
        const isTwo = left > 1 && first !== second && random.chance(25);
        await Promise.all((isTwo ? [first, second] : [first]).map((target) => fault(target, plan)));
      }
    },
  };
}
