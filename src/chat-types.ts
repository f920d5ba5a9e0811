/**
 * Types of the app's own data, for the hooks and for `app.chat`. An app declares them once:
 *
 *     declare module 'fastify-chat' { interface ChatTypes { data: MessageData, memberData: Profile } }
 *
 * A property that isn't declared is `unknown`. Types check the code of the app alone: the option `dataSchema` checks what clients send.
 */
export interface ChatTypes {}

/** `data` of a message. */
export type ChatData = ChatTypes extends { readonly data: infer Data } ? Data : unknown

/** `data` of a member, from `authenticate`. */
export type MemberData = ChatTypes extends { readonly memberData: infer Data } ? Data : unknown
