import t from 'tap'
import { runtimeWarning } from '../../src/upgrade/app-warnings.ts'

t.test('a runtime that breaks a guarantee gets a warning, and Node gets none', async (t) => {
  t.equal(runtimeWarning(), undefined)
  t.match(runtimeWarning({ node: '24.3.0', bun: '1.3.0' }), /^Bun passes no incomplete frames and no pings .* end no connection: use Node/)
  t.match(runtimeWarning({ node: '24.2.0', deno: '2.5.0' }), /^Deno delivers one SIGTERM twice/)
})
