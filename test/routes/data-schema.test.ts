import t from 'tap'
import { build } from '../support/app.ts'

const $id = 'https://example.com/mood.json'

const broken: Array<[schema: object, problem: RegExp]> = [
  [{ type: 'objekt' }, /\/type must be equal to one of/],
  [{ type: 'object', properties: { mood: { items: { minimum: '1' } } } }, /\/properties\/mood\/items\/minimum must be number/],
  [{ properties: 5 }, /\/properties must be object/],
  [{ required: 'mood' }, /\/required must be array/],
  [{ pattern: '(' }, /\/pattern must match format "regex"/],
  [{ patternProperties: { '(': {} } }, /\/patternProperties/],
  [{ $ref: '#/nope' }, /\$ref '#\/nope' leads nowhere/],
  [{ $defs: { a: {} }, properties: { mood: { $ref: '#/$defs/b' } } }, /\$ref '#\/\$defs\/b' leads nowhere/],
  [{ anyOf: [{ type: 'null' }, { $ref: 'https://example.com/other.json' }] }, /\$ref 'https:\/\/example.com\/other.json' leads nowhere/],
  ...['default', 'enum', 'const', 'examples', 'properties'].map((name): [object, RegExp] =>
    [{ properties: { [name]: { $ref: '#/nope' } } }, /\$ref '#\/nope' leads nowhere/]),
  [{ $defs: { default: { $ref: '#/nope' } } }, /\$ref '#\/nope' leads nowhere/],
  [{ $schema: 'https://example.com/draft' }, /\$schema must be one of/],
  [[], /must be an object/]
]
for (const [schema, problem] of broken) {
  t.test(`a dataSchema of ${JSON.stringify(schema)} is rejected at register`, async (t) => {
    await t.rejects(build(t, { dataSchema: schema }), { code: 'FST_CHAT_INVALID_OPTION', message: problem })
  })
}

for (const schema of [
  {},
  { type: ['object', 'null'], properties: { mood: { type: 'string', pattern: '^\\p{L}+$' } }, additionalProperties: false },
  { $defs: { mood: { type: 'string' } }, properties: { mood: { $ref: '#/$defs/mood' } } },
  { definitions: { mood: { type: 'string' } }, $ref: '#/definitions/mood' },
  { $schema: 'http://json-schema.org/draft-07/schema#', type: 'array', items: [{ type: 'string' }], additionalItems: false },
  { type: 'array', items: [{ type: 'string' }] },
  { $id, $defs: { tree: { $anchor: 'tree', properties: { children: { items: { $ref: '#tree' } } } } }, $ref: '#tree' },
  { $id, properties: { next: { $ref: $id } } },
  { properties: { next: { $ref: '#' }, $ref: { type: 'string' } } },
  { const: { $ref: 'data' }, default: { $ref: 'data' }, enum: [{ $ref: 'data' }], examples: [{ $ref: 'data' }] },
  { properties: { properties: { default: { $ref: 'data' } } } },
  { 'x-own': 1 }
]) {
  t.test(`a dataSchema of ${JSON.stringify(schema)} is accepted`, async (t) => {
    await t.resolves(build(t, { dataSchema: schema }))
  })
}
