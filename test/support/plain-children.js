// Loaded into each test process, see .taprc. tap makes each child process of a test record the files that it loads, which
// takes a third of a second of CPU time in each, and as much again in one that loads Fastify. Only the coverage report needs it.
import { createRequire } from 'node:module'

const processOnSpawn = createRequire(import.meta.resolve('@tapjs/processinfo'))('process-on-spawn')

if (process.env._TAPJS_PROCESSINFO_COVERAGE_ === '0') {
  processOnSpawn.removeAllListeners()
  delete process.env.NODE_OPTIONS
}
