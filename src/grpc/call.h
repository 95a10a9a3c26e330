// SPDX-License-Identifier: Apache-2.0
// Inside the server: one call. Loop's thread only, but `gone`.
//
// A call has two holders: the HTTP/2 stream (`on_stream`) and, for unary methods, the handler
// that owes an answer (`owed`). Whoever lets go last frees it: so a handler may answer long after
// its client left. Streaming handlers owe nothing; on_gone tells them.
#ifndef ABACUS_GRPC_CALL_H
#define ABACUS_GRPC_CALL_H

#include "grpc/connection.h"
#include "grpc/metadata.h"

// A typical call fits: the traceparent and a few names; a small message.
#define GRPC_CALL_METADATA_BYTES 192
#define GRPC_CALL_ANSWER_BYTES   64

struct grpc_call {
    LIST_ENTRY(grpc_call) links;
    struct grpc_connection *connection; // outlives the call
    int32_t stream_id;
    bool on_stream, owed;
    bool timed;       // deadline is armed
    bool refused;     // nothing of the request counts any more
    bool headers_in;  // the request's header block is complete
    bool accepted;    // and asks for a method of ours, whose state is ready
    bool half_closed; // and so is the request
    bool known;       // a streaming handler has heard of the call and not of its end
    bool started;     // the answer's headers are submitted
    bool ended;       // the status is decided
    bool deferred;    // nghttp2 waits for us to have more to send
    _Atomic bool gone;
    uint8_t status; // CANCELLED until something else is decided
    uint32_t messages_count;
    int64_t begun_mono_ns, deadline_mono_ns, moved_mono_ns;
    size_t request_bytes; // this call's part of the connection's
    struct event deadline;
    struct grpc_header header;
    struct grpc_metadata initial, trailing;
    struct grpc_buffer answer; // messages with their prefixes
    size_t answer_at;          // so much of it is in frames
    // begun by whoever uses them, not zeroed
    struct grpc_reader reader;
    uint8_t metadata_memory[GRPC_CALL_METADATA_BYTES];
    uint8_t answer_memory[GRPC_CALL_ANSWER_BYTES];
    _Alignas(16) uint8_t state[];
};

// --- call.c: the request, in the order of a call's life ---
struct grpc_call *grpc_call_begin(struct grpc_connection *c, int32_t stream_id);
// False: the header list is too long.
MUST_USE bool grpc_call_field(struct grpc_call *call, struct grpc_slice name,
                              struct grpc_slice value);
void grpc_call_headers_end(struct grpc_call *call);
void grpc_call_data(struct grpc_call *call, struct grpc_slice data);
void grpc_call_half_close(struct grpc_call *call);
void grpc_call_detach(struct grpc_call *call); // the stream is closed; the call may be freed
void grpc_call_free(struct grpc_call *call);

// Resets the stream: nobody waits for the answer.
void grpc_call_reset(struct grpc_call *call, uint32_t http2_error);
// The layer's own refusal, also of a call that a streaming handler knows.
void grpc_call_refuse(struct grpc_call *call, enum grpc_status status, const char *text);

// --- answer.c ---
// Ends the call by headers alone (Trailers-Only).
void grpc_answer_trailers_only(struct grpc_call *call, const char *http_status);

#endif
