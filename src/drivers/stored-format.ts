import { StoreFormat } from '../errors.ts'

/**
 * Checks the number of the format of stored data.
 * @param found 0 for data without a number @param needed number that the driver reads and writes
 * @throws StoreFormat naming both numbers
 */
export function assertFormat (place: string, found: number | string, needed: number): void {
  if (String(found) !== String(needed)) throw new StoreFormat(place, found, needed)
}
