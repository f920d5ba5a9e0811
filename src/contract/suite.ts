import { randomUUID } from 'node:crypto'
import type { Test, TestContext } from './runner.ts'

/** Options of a suite. */
export interface SuiteOptions<Subject, Bounds, Capabilities> {
  /**
   * Opens a store or a roster on the data of this name, which consists of at most 64 letters, digits and `-`. A new name has
   * no data. The suite closes what this function opened; the caller removes the data after the test.
   */
  open (name: string, bounds: Bounds): Subject | Promise<Subject>
  readonly capabilities?: Capabilities | undefined
}

/** Opens a subject, on data of its own unless it is given a name. Bounds that are absent have the suite's defaults. */
export type Open<Subject, Bounds> = (bounds?: Partial<Bounds>, name?: string) => Promise<Subject>

/** Runs a subtest, and closes what it opened when it ends. */
export type Subtest<Subject, Bounds> = (title: string, run: (open: Open<Subject, Bounds>) => Promise<void>) => Promise<void>

/** A group of subtests. */
export type Promises<Subject, Bounds> = (test: Subtest<Subject, Bounds>) => Promise<void>

/** Runs groups of subtests, one after another, as one test. */
export async function runSuite<Subject extends { close (): Promise<void> }, Bounds> (
  test: Test,
  title: string,
  open: SuiteOptions<Subject, Bounds, unknown>['open'],
  defaults: Bounds,
  groups: ReadonlyArray<Promises<Subject, Bounds>>
): Promise<void> {
  await test(title, async (t) => {
    // The timers of a store or a roster may be unref'd, so the process needs one of its own.
    const awake = setInterval(() => {}, 60_000)
    try {
      for (const group of groups) await group(subtest(t, open, defaults))
    } finally {
      clearInterval(awake)
    }
  })
}

function subtest<Subject extends { close (): Promise<void> }, Bounds> (
  t: TestContext,
  open: SuiteOptions<Subject, Bounds, unknown>['open'],
  defaults: Bounds
): Subtest<Subject, Bounds> {
  return async (title, run) => {
    await t.test(title, async () => {
      const opened: Subject[] = []
      try {
        await run(async (bounds = {}, name = newName()) => {
          const subject = await open(name, { ...defaults, ...bounds })
          opened.push(subject)
          return subject
        })
      } finally {
        await Promise.all(opened.map((subject) => subject.close()))
      }
    })
  }
}

/** Returns a name for data that doesn't exist yet. */
export function newName (): string {
  return `contract-${randomUUID()}`
}
