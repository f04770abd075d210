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
  /** of replicas */
  leaseMs: number;
}

export interface Nemesis {
  /** Resolves when all kills are done and every process runs. */
  run(plan: NemesisPlan): Promise<void>;
  /** whether this replica, by its place among the targets, is held back now */
  isHeld(replica: number): boolean;
  kills(): ReadonlyMap<string, number>;
  pauses(): ReadonlyMap<string, number>;
}

const LEAST_CALM_MS = 100;
/** What a process needs may be away itself; on a busy machine for long. */
const START_LIMIT_MS = 120_000;
const START_AGAIN_MS = 200;
const LOOK_MS = 20;
/** How long one is held back, in hundredths of its lease: it must not have to renew that before it writes again. */
const HELD_LEAST = 40;
const HELD_MOST = 70;
/** Between two that are held back, at the most: they look four times a second for what has changed. */
const FREE_MS = 800;
/** Then it goes on without. */
const WRITES_LIMIT_MS = 20_000;

export interface NemesisDeps {
  targets: readonly Target[];
  random: Random;
  /** for what comes when it comes */
  holdRandom: Random;
  /** Whether something is about to change that all replicas must know. */
  isChanging: () => boolean;
  /** writes acknowledged so far */
  acknowledged: () => number;
  /** is told of each fault as it begins */
  tell: (text: string) => void;
}

/**
 * One fault after the other: a process is killed, or paused, or two at once; a register sometimes while it starts.
 */
export function createNemesis({
  targets,
  random,
  holdRandom,
  isChanging,
  acknowledged,
  tell,
}: NemesisDeps): Nemesis {
  const kills = new Map<string, number>();
  const pauses = new Map<string, number>();
  const replicas = targets.filter(({ diesInStart }) => diesInStart);
  let held: Target | undefined;
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

  async function pause(target: Target, ms: number): Promise<void> {
    const pid = target.pid();
    process.kill(pid, 'SIGSTOP');
    pauses.set(target.name, (pauses.get(target.name) ?? 0) + 1);
    tell(`pause ${target.name} ${ms} ms`);
    await sleep(ms);
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // killed meanwhile
    }
  }

  /**
   * While something changes that all replicas must know, one after the other stands still for less than its lease, beside the other
   * faults, so that it writes by what it knew when it wakes up.
   */
  async function holdBack({ leaseMs }: NemesisPlan): Promise<void> {
    while (left > 0) {
      await sleep(LOOK_MS);
      if (replicas.length < 2 || !isChanging()) continue;
      const hundredths = HELD_LEAST + holdRandom.below(HELD_MOST - HELD_LEAST);
      held = holdRandom.pick(replicas);
      // it may be away
      await pause(held, (leaseMs * hundredths) / 100).catch(() => undefined);
      held = undefined;
      await sleep(holdRandom.below(FREE_MS));
    }
  }

  async function calm({ calmMs, writesBetween }: NemesisPlan): Promise<void> {
    const before = acknowledged();
    const deadline = performance.now() + WRITES_LIMIT_MS;
    await sleep(LEAST_CALM_MS + random.below(calmMs));
    while (acknowledged() - before < writesBetween && performance.now() < deadline) await sleep(LOOK_MS);
  }

  const fault = (target: Target, plan: NemesisPlan) =>
    random.chance(70) ? killAndStart(target, plan) : pause(target, random.below(plan.pauseMs));

  return {
    kills: () => kills,
    pauses: () => pauses,
    isHeld: (replica) => held !== undefined && replicas[replica] === held,
    async run(plan) {
      left = plan.kills;
      const holding = holdBack(plan);
      while (left > 0) {
        await calm(plan);
        const first = random.pick(targets);
        const second = random.pick(targets);
        const isTwo = left > 1 && first !== second && random.chance(25);
        await Promise.all((isTwo ? [first, second] : [first]).map((target) => fault(target, plan)));
      }
      await holding;
    },
  };
}
