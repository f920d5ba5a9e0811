/** What the page imports of this package. The build bundles it into one file, because a browser requests each file. */
export * from '../client/index.ts'
export { indexedDBPosts } from '../client/indexeddb/index.ts'
export { checkName } from '../member-name.ts'
export { roomName } from '../request-bounds.ts'
