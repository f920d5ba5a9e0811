import { Compile } from 'typebox/compile'
import Schema from 'typebox/schema'
import { InvalidData, InvalidOption } from '../errors.ts'

const drafts: Readonly<Record<string, Schema.XSchema>> = Schema.Meta

/** The drafts of a schema that names none: both keep their keywords' names and differ in arrays of `items`. */
const defaults = [Schema.Meta['https://json-schema.org/draft/2020-12/schema'], Schema.Meta['http://json-schema.org/draft-07/schema#']]

/** Keywords whose values are data. */
const values = ['const', 'enum', 'default', 'examples']

/** Keywords whose values are maps: their names are not keywords. */
const maps = ['properties', 'patternProperties', 'dependentSchemas', 'dependencies', '$defs', 'definitions']

/**
 * Returns a function that throws InvalidData for data that doesn't match the option `dataSchema`. The schema is checked first:
 * a compiled schema ignores an unknown type, and refuses everything for a reference that leads nowhere.
 * @throws InvalidOption
 */
export function compileDataSchema (schema: object): (data: unknown) => void {
  const problem = schemaProblem(schema)
  if (problem !== undefined) throw new InvalidOption('dataSchema', `is not a valid JSON Schema: ${problem}`)
  const validator = Compile(schema)
  return (data) => {
    if (validator.Check(data)) return
    const [error] = validator.Errors(data)
    throw new InvalidData(error?.instancePath ?? '', error?.message ?? 'is invalid')
  }
}

function schemaProblem (schema: object): string | undefined {
  const { $schema: draft } = schema as { $schema?: unknown }
  if (draft !== undefined && !(typeof draft === 'string' && Object.hasOwn(drafts, draft))) return `/$schema must be one of ${Object.keys(drafts).join(', ')}`
  const metaSchemas = draft === undefined ? defaults : [drafts[draft]!]
  if (!metaSchemas.some((metaSchema) => Schema.Check(metaSchema, schema))) {
    const [, errors] = Schema.Errors(metaSchemas[0]!, schema)
    // Errors of a part are also errors of everything around it.
    const { instancePath = '', message = 'is invalid' } = errors.reduce((deepest, error) => error.instancePath.length > deepest.instancePath.length ? error : deepest)
    return `${instancePath} ${message}`.trim()
  }
  const broken = brokenReference(schema, Schema.Stack({}, schema))
  return broken === undefined ? undefined : `$ref '${broken}' leads nowhere`
}

/** Returns the first `$ref` that can't be resolved within the schema. @param isMap whether the part is a map of schemas */
function brokenReference (part: unknown, outer: Schema.XStack, isMap = false): string | undefined {
  if (typeof part !== 'object' || part === null) return undefined
  const isSchema = !isMap && !Array.isArray(part)
  const stack = isSchema ? Schema.NextStack(outer, part) : outer
  const { $ref } = part as { $ref?: unknown }
  if (isSchema && typeof $ref === 'string' && Schema.Resolve.Ref(stack, { $ref }).schema === undefined) return $ref
  for (const [name, inner] of Object.entries(part)) {
    const broken = isSchema && values.includes(name) ? undefined : brokenReference(inner, stack, isSchema && maps.includes(name))
    if (broken !== undefined) return broken
  }
  return undefined
}
