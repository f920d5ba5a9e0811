/** The context of a running test: the part that the suites use. The contexts of `node:test` and tap match it. */
export interface TestContext {
  /** Runs a subtest. */
  readonly test: Test
}

/**
 * Runs a test: the `test` of `node:test` or tap, or any function of this shape. A test fails if `run` rejects, and ends when
 * `run` has settled. The returned promise MUST NOT resolve before the test has ended.
 */
export type Test = (title: string, run: (t: TestContext) => Promise<void>) => Promise<unknown>
