import { hasMoreCodePoints } from '../request-bounds.ts'
import type { ExactlyOne } from '../schema.ts'

/** Keywords of the schemas of properties. A property without a type may be any value. */
interface PropertySchema {
  readonly type?: string
  readonly const?: unknown
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly description?: string
}

interface MessageSchema extends Partial<ExactlyOne> {
  readonly required: readonly string[]
  readonly properties: Readonly<Record<string, PropertySchema>>
}

/** Returns the rule that the value breaks. */
type Check = (value: unknown) => string | undefined

/**
 * Returns a function that returns the rule that a parsed message breaks, after the path of the property; undefined for a valid
 * message. Its properties are strings, integers, booleans or unknown. The texts are those of TypeBox, except for `oneOf`.
 */
export function validator ({ required, properties, oneOf = [] }: MessageSchema): (message: Readonly<Record<string, unknown>>) => string | undefined {
  const checks = Object.entries(properties).map(([name, schema]) => ({ name, check: checkOf(schema), isRequired: required.includes(name) }))
  return (message) => {
    for (const { name, check, isRequired } of checks) {
      const value = message[name]
      if (value === undefined) {
        if (isRequired) return missing(message)
        continue
      }
      const problem = check(value)
      if (problem !== undefined) return missing(message) ?? `/${name} ${problem}`
    }
    if (oneOf.length === 0 || oneOf.filter(({ required: [name] }) => message[name!] !== undefined).length === 1) return undefined
    return `must have exactly one of the properties ${oneOf.map(({ required: [name] }) => name).join(', ')}`
  }

  function missing (message: Readonly<Record<string, unknown>>): string | undefined {
    const names = required.filter((name) => message[name] === undefined)
    return names.length === 0 ? undefined : `must have required properties ${names.join(', ')}`
  }
}

function checkOf (schema: PropertySchema): Check {
  switch (schema.type) {
    case 'string':
      return stringCheck(schema)
    case 'integer':
      return integerCheck(schema)
    case 'boolean':
      return booleanCheck(schema)
    case undefined:
      return () => undefined
  }
  throw new Error(`messages have no properties of the type ${schema.type}`)
}

function stringCheck ({ const: literal, pattern, minLength = 0, maxLength = Infinity }: PropertySchema): Check {
  const expression = pattern === undefined ? undefined : new RegExp(pattern, 'u')
  return (value) => {
    if (typeof value !== 'string') return 'must be string'
    if (literal !== undefined && value !== literal) return 'must be equal to constant'
    if (expression?.test(value) === false) return `must match pattern "${pattern}"`
    if (!hasMoreCodePoints(value, minLength - 1)) return `must not have fewer than ${minLength} characters`
    if (hasMoreCodePoints(value, maxLength)) return `must not have more than ${maxLength} characters`
    return undefined
  }
}

function integerCheck ({ minimum = -Infinity, maximum = Infinity }: PropertySchema): Check {
  return (value) => {
    if (!Number.isInteger(value)) return 'must be integer'
    if (value as number < minimum) return `must be >= ${minimum}`
    if (value as number > maximum) return `must be <= ${maximum}`
    return undefined
  }
}

function booleanCheck ({ const: literal }: PropertySchema): Check {
  return (value) => {
    if (typeof value !== 'boolean') return 'must be boolean'
    return literal === undefined || value === literal ? undefined : 'must be equal to constant'
  }
}
