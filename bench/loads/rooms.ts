import { v1 } from '../contenders.ts'
import type { ClientRooms, Rooms } from './load.ts'

/** Measures what a room of two takes: the room and its two memberships, without their connections. */
export const roomsOfTwo: Rooms = {
  kind: 'rooms',
  name: 'rooms-of-two',
  title: '1,000 members each join 10 more rooms of 2, in which nobody posts: memory per room',
  members: 1_000,
  roomSize: 2,
  joins: 10,
  per: 'room',
  contenders: [v1()],
  targets: [{ ours: 'v1' }]
}

/** Measures what a membership takes, with a fiftieth of its room. */
export const roomsMemberships: Rooms = {
  ...roomsOfTwo,
  name: 'rooms-memberships',
  title: '1,000 members each join 10 more rooms of 50, in which nobody posts: memory per membership',
  roomSize: 50,
  per: 'membership'
}

/** Measures what a room takes in the process of a client. */
export const roomsTimelines: ClientRooms = {
  kind: 'client-rooms',
  name: 'rooms-timelines',
  title: 'a client joins 1,000 rooms with 20 messages each: memory of the client per room, without and with a timeline',
  rooms: 1_000,
  messages: 20,
  contenders: [{ ...v1('rooms'), timelines: false }, { ...v1('timelines'), timelines: true }],
  targets: [{ ours: 'timelines', control: 'rooms' }]
}
