/** Number of fields that hold the reactions to one entry. */
export const BUCKETS = 32

/** Returns the bucket of a member: a hash of the id. */
export function bucketOf (id: string): number {
  let hash = 0
  for (let i = 0; i < id.length; i++) hash = (hash * 31 + id.charCodeAt(i)) % 65_521
  return hash % BUCKETS
}
