import { InvalidArgument, InvalidRoom } from '../../errors.ts'

/** Longest room name and member id in bytes: longer ones may not fit LMDB's keys. */
const KEY_BYTES = 512

/** @throws InvalidRoom */
export function assertRoom (room: string): void {
  if (Buffer.byteLength(room) > KEY_BYTES || room === '') throw new InvalidRoom(room)
}

/** @throws InvalidArgument */
export function assertMember (memberId: string): void {
  if (Buffer.byteLength(memberId) > KEY_BYTES || memberId === '') throw new InvalidArgument('memberId', `must have 1 to ${KEY_BYTES} bytes`)
}
