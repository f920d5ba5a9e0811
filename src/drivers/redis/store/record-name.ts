/** Beginning of the names of records in the index. No room has such a name; versions without records take it for one of a check. */
export const RECORD = '?@'

/** Returns the name of a member's record. It has no brace, which would end the part of the key that selects the hash slot. */
export function recordName (memberId: string): string {
  return RECORD + memberId.replace(/[%{}]|\p{Surrogate}/gu, (char) => `%${char.charCodeAt(0).toString(16)}`)
}

export function isRecordName (name: string): boolean { return name.startsWith(RECORD) }
