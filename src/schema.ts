// JSON Schemas and the types of their values, for the messages. The builders of TypeBox would take longer to load than the rest of
// the plugin.

type Properties = Record<string, object>

/** A keyword of a schema: an object has exactly one of these properties. */
export interface ExactlyOne { readonly oneOf: ReadonlyArray<{ readonly required: readonly string[] }> }

/** The JSON Schema of an object. */
export interface ObjectSchema<Properties, Required> {
  readonly type: 'object'
  readonly required: readonly Required[]
  readonly properties: Properties
  readonly description?: string
}

/** The type of the values that match a schema. */
export type Static<Schema> =
  Schema extends { readonly const: infer Value } ? Value :
    Schema extends { readonly type: 'string' } ? string :
      Schema extends { readonly type: 'integer' } ? number :
        Schema extends { readonly type: 'boolean' } ? boolean :
          Schema extends { readonly type: 'null' } ? null :
            Schema extends { readonly anyOf: ReadonlyArray<infer Alternative> } ? Static<Alternative> :
              Schema extends { readonly type: 'array', readonly items: infer Items } ? Array<Static<Items>> :
                Schema extends ObjectSchema<infer All, infer Required> ? StaticObject<All, Required> :
                  unknown

type StaticObject<All, Required> = Flat<
  { [Name in keyof All & Required]: Static<All[Name]> } &
  { [Name in Exclude<keyof All, Required>]?: Static<All[Name]> }
>

type Flat<T> = { [Name in keyof T]: T[Name] }

export const literal = <const Value extends string>(value: Value) => ({ type: 'string', const: value } as const)

export const string = <const Rules extends object>(rules: Rules) => ({ type: 'string', ...rules } as const)

export const integer = <const Rules extends object>(rules: Rules) => ({ type: 'integer', ...rules } as const)

/** Returns the schema of a property that is `true` or absent. */
export const flag = (description: string) => ({ type: 'boolean', const: true, description } as const)

export const array = <Items extends object>(items: Items, description: string) => ({ type: 'array', items, description } as const)

/** Returns the schema of an object with these required and optional properties. */
export function object<const Required extends Properties, const Optional extends Properties = Record<never, object>> (
  required: Required, optional?: Optional, description?: string
): ObjectSchema<Required & Optional, keyof Required> {
  return {
    type: 'object',
    required: Object.keys(required),
    properties: { ...required, ...optional } as Required & Optional,
    ...description !== undefined && { description }
  }
}

/** Returns the schema of an object that has exactly one of some optional properties. */
export function withOneOf<Schema extends object> (names: readonly string[], schema: Schema): Schema & ExactlyOne {
  return { ...schema, oneOf: names.map((name) => ({ required: [name] })) }
}
