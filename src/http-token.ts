/** A character of a token, as part of a regular expression. RFC 9110, section 5.6.2. */
export const TOKEN_CHARACTER = "[!#$%&'*+\\-.^`|~\\w]"

/** A token: the name of a header, an extension or a subprotocol. */
export const httpToken = new RegExp(`^${TOKEN_CHARACTER}+$`)
