import fc from 'fast-check'
import t from 'tap'
import { Compile } from 'typebox/compile'
import { clientMessages } from '../../src/messages.ts'
import { validator } from '../../src/wire/validator.ts'

/** Values that some property accepts, those at the bounds of its rules, and some of other types. */
const value = fc.oneof(
  fc.constantFrom('', 'lobby', 'a b', 'é', '\ud800', 'x'.repeat(43), ...Object.keys(clientMessages)),
  fc.constantFrom(63, 64, 65, 127, 128, 129, 8_192, 8_193).chain((length) => fc.constantFrom('x', '😀').map((text) => text.repeat(length))),
  fc.constantFrom(-1, 0, -0, 1, 1.5, 1_000, 1_001, 1e9, 1e300),
  fc.constantFrom(true, false, null, [], {}, ['lobby'], { type: 'string' }),
  fc.string({ unit: 'grapheme' })
)

for (const [type, schema] of Object.entries(clientMessages)) {
  t.test(`a ${type} is valid, or breaks a rule, as TypeBox decides`, async () => {
    const typebox = Compile(schema)
    const problemOf = validator(schema)
    const names = Object.keys(schema.properties)
    const property = fc.tuple(fc.constantFrom(...names, 'unknown', '__proto__'), value)
    const message = fc.array(property, { maxLength: names.length + 2 })
      .chain((entries) => fc.constantFrom({}, { type }).map((first) => JSON.parse(JSON.stringify({ ...first, ...Object.fromEntries(entries) })) as Record<string, unknown>))
    fc.assert(fc.property(message, (message) => {
      const [error] = typebox.Errors(message)
      const isOneOf = error?.schemaPath.startsWith('#/oneOf')
      const expected = isOneOf ? 'must have exactly one of the properties before, after' : error && `${error.instancePath} ${error.message}`.trim()
      return problemOf(message) === expected
    }), { numRuns: 2_000 })
  })
}
