// Runs the fast tests with Node's test runner.
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { run } from 'node:test'
import { spec as SpecReporter } from 'node:test/reporters'
import { fastTests } from './support/fast-tests.ts'

// In seconds; by default tap ends a file that runs alone after 30 s.
process.env['TAP_TIMEOUT'] = '900'

const files = fastTests().map((path) => join(import.meta.dirname, path))
run({ files, concurrency: availableParallelism() })
  .on('test:fail', () => { process.exitCode = 1 })
  .compose(new SpecReporter())
  .pipe(process.stdout)
