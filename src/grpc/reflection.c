// SPDX-License-Identifier: Apache-2.0
// The index is made once: every name in the set points to its file. A file stays the bytes that
// protoc wrote (proto/descriptor_subset.proto), so what clients get is exact.
#include "grpc/reflection.h"

#include "descriptor_subset.pb-c.h"
#include "reflection.pb-c.h"

#include <stdlib.h>
#include <string.h>

typedef Abacus__Descriptor__File file_names;
typedef Abacus__Descriptor__Message message_names;
typedef Abacus__Descriptor__Enum enum_names;
typedef Grpc__Reflection__V1__ServerReflectionRequest request;
typedef Grpc__Reflection__V1__ServerReflectionResponse response;
#define REQUEST(name)  GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##name
#define RESPONSE(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##name

enum kind { KIND_FIELD, KIND_MESSAGE, KIND_SERVICE, KIND_OTHER };

struct symbol {
    char *name; // owned
    size_t file;
    enum kind kind;
};

struct grpc_reflection {
    Abacus__Descriptor__FileSet *set; // owned
    file_names **files;               // owned; files[i] names what set->file[i] holds
    struct symbol *symbols;           // owned; sorted by name
    size_t symbols_count;
};

// --- the index ---
static const char *symbol_add(struct grpc_reflection *r, enum kind kind, size_t file,
                              const char *scope, const char *name)
{
    if ((r->symbols_count & (r->symbols_count - 1)) == 0) { // full: a power of two
        const size_t capacity = r->symbols_count == 0 ? 1 : r->symbols_count * 2;
        r->symbols = xrealloc(r->symbols, capacity * sizeof(*r->symbols));
    }
    char *full = scope[0] == '\0' ? xstrdup(name) : xasprintf("%s.%s", scope, name);
    r->symbols[r->symbols_count++] = (struct symbol){full, file, kind};
    return full;
}

// Values of an enum live beside it, not in it (C++ scoping, as protobuf's descriptors have it).
static void enums_add(struct grpc_reflection *r, size_t file, const char *scope,
                      enum_names *const *enums, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        symbol_add(r, KIND_OTHER, file, scope, enums[i]->name);
        for (size_t v = 0; v < enums[i]->n_value; v++)
            symbol_add(r, KIND_OTHER, file, scope, enums[i]->value[v]->name);
    }
}

static void messages_add(struct grpc_reflection *r, size_t file, const char *scope,
                         message_names *const *messages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const message_names *m = messages[i];
        const char *full = symbol_add(r, KIND_MESSAGE, file, scope, m->name);
        for (size_t f = 0; f < m->n_field; f++)
            symbol_add(r, KIND_FIELD, file, full, m->field[f]->name);
        enums_add(r, file, full, m->enum_type, m->n_enum_type);
        messages_add(r, file, full, m->nested_type, m->n_nested_type);
    }
}

static void file_add(struct grpc_reflection *r, size_t file)
{
    const file_names *f = r->files[file];
    const char *package = f->package != NULL ? f->package : "";
    messages_add(r, file, package, f->message_type, f->n_message_type);
    enums_add(r, file, package, f->enum_type, f->n_enum_type);
    for (size_t i = 0; i < f->n_service; i++) {
        const char *full = symbol_add(r, KIND_SERVICE, file, package, f->service[i]->name);
        for (size_t m = 0; m < f->service[i]->n_method; m++)
            symbol_add(r, KIND_OTHER, file, full, f->service[i]->method[m]->name);
    }
}

static int symbol_compare(const void *left, const void *right)
{
    return strcmp(((const struct symbol *)left)->name, ((const struct symbol *)right)->name);
}

bool grpc_reflection_create(struct grpc_reflection **out, struct grpc_slice set, struct err *err)
{
    struct grpc_reflection *r = xcalloc(1, sizeof(*r));
    r->set = abacus__descriptor__file_set__unpack(NULL, set.length, set.data);
    bool ok = r->set != NULL;
    const size_t count = ok ? r->set->n_file : 0;
    r->files = xcalloc(count + 1, sizeof(*r->files));
    for (size_t i = 0; ok && i < count; i++) {
        const ProtobufCBinaryData *file = &r->set->file[i];
        r->files[i] = abacus__descriptor__file__unpack(NULL, file->len, file->data);
        ok = r->files[i] != NULL && r->files[i]->name != NULL;
        if (ok)
            file_add(r, i);
    }
    if (!ok) {
        grpc_reflection_destroy(r);
        return err_set(err, ERR_CORRUPT, "not a FileDescriptorSet");
    }
    qsort(r->symbols, r->symbols_count, sizeof(*r->symbols), symbol_compare);
    *out = r;
    return true;
}

void grpc_reflection_destroy(struct grpc_reflection *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->symbols_count; i++)
        free(r->symbols[i].name);
    for (size_t i = 0; r->set != NULL && i < r->set->n_file; i++)
        abacus__descriptor__file__free_unpacked(r->files[i], NULL);
    if (r->set != NULL)
        abacus__descriptor__file_set__free_unpacked(r->set, NULL);
    free(r->files);
    free(r->symbols);
    free(r);
}

// --- lookups ---
static const struct symbol *symbol_find(const struct grpc_reflection *r, const char *name)
{
    const struct symbol key = {.name = (char *)(uintptr_t)name};
    return r->symbols_count == 0
               ? NULL
               : bsearch(&key, r->symbols, r->symbols_count, sizeof(key), symbol_compare);
}

// set->n_file: none.
static size_t file_find(const struct grpc_reflection *r, const char *name)
{
    size_t i = 0;
    while (i < r->set->n_file && strcmp(r->files[i]->name, name) != 0)
        i++;
    return i;
}

// --- answers: each fills the response and sends it ---
static void send(struct grpc_call *call, const response *message)
{
    const size_t length =
        grpc__reflection__v1__server_reflection_response__get_packed_size(message);
    uint8_t *packed = xmalloc(length);
    grpc__reflection__v1__server_reflection_response__pack(message, packed);
    (void)grpc_call_send(call, packed, length); // false: the call is over, and owes nothing
    free(packed);
}

static void answer_not_found(struct grpc_call *call, response *message)
{
    Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;
    error.error_code = GRPC_NOT_FOUND;
    error.error_message = (char *)(uintptr_t) "not found";
    message->message_response_case = RESPONSE(ERROR_RESPONSE);
    message->error_response = &error;
    send(call, message);
}

// The file and all it imports, each once.
static void answer_file(const struct grpc_reflection *r, struct grpc_call *call, response *message,
                        size_t file)
{
    const size_t count = r->set->n_file;
    if (file == count) {
        answer_not_found(call, message);
        return;
    }
    bool *wanted = xcalloc(count, sizeof(*wanted));
    size_t *order = xcalloc(count, sizeof(*order));
    size_t found = 0;
    order[found++] = file;
    wanted[file] = true;
    for (size_t i = 0; i < found; i++) { // order grows while it is walked
        const file_names *names = r->files[order[i]];
        for (size_t d = 0; d < names->n_dependency; d++) {
            const size_t import = file_find(r, names->dependency[d]);
            if (import < count && !wanted[import]) {
                wanted[import] = true;
                order[found++] = import;
            }
        }
    }
    ProtobufCBinaryData *protos = xcalloc(found, sizeof(*protos));
    for (size_t i = 0; i < found; i++)
        protos[i] = r->set->file[order[i]];
    Grpc__Reflection__V1__FileDescriptorResponse files =
        GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
    files.n_file_descriptor_proto = found;
    files.file_descriptor_proto = protos;
    message->message_response_case = RESPONSE(FILE_DESCRIPTOR_RESPONSE);
    message->file_descriptor_response = &files;
    send(call, message);
    free(protos);
    free(order);
    free(wanted);
}

static void answer_services(const struct grpc_reflection *r, struct grpc_call *call,
                            response *message)
{
    Grpc__Reflection__V1__ServiceResponse *rows = xcalloc(r->symbols_count + 1, sizeof(*rows));
    Grpc__Reflection__V1__ServiceResponse **list = xcalloc(r->symbols_count + 1, sizeof(*list));
    Grpc__Reflection__V1__ListServiceResponse services =
        GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
    services.service = list;
    for (size_t i = 0; i < r->symbols_count; i++) {
        if (r->symbols[i].kind != KIND_SERVICE)
            continue;
        const size_t n = services.n_service++;
        grpc__reflection__v1__service_response__init(&rows[n]);
        rows[n].name = r->symbols[i].name;
        list[n] = &rows[n];
    }
    message->message_response_case = RESPONSE(LIST_SERVICES_RESPONSE);
    message->list_services_response = &services;
    send(call, message);
    free(list);
    free(rows);
}

// Our files are proto3: no message has extensions.
static void answer_extension_numbers(const struct grpc_reflection *r, struct grpc_call *call,
                                     response *message, const char *type)
{
    const struct symbol *symbol = symbol_find(r, type);
    if (symbol == NULL || symbol->kind != KIND_MESSAGE) {
        answer_not_found(call, message);
        return;
    }
    Grpc__Reflection__V1__ExtensionNumberResponse numbers =
        GRPC__REFLECTION__V1__EXTENSION_NUMBER_RESPONSE__INIT;
    numbers.base_type_name = (char *)(uintptr_t)type;
    message->message_response_case = RESPONSE(ALL_EXTENSION_NUMBERS_RESPONSE);
    message->all_extension_numbers_response = &numbers;
    send(call, message);
}

static void answer(const struct grpc_reflection *r, struct grpc_call *call, request *asked)
{
    response message = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    message.valid_host = asked->host;
    message.original_request = asked;
    const struct symbol *symbol;
    switch (asked->message_request_case) {
    case REQUEST(FILE_BY_FILENAME):
        answer_file(r, call, &message, file_find(r, asked->file_by_filename));
        break;
    case REQUEST(FILE_CONTAINING_SYMBOL):
        symbol = symbol_find(r, asked->file_containing_symbol);
        answer_file(r, call, &message, symbol != NULL ? symbol->file : r->set->n_file);
        break;
    case REQUEST(FILE_CONTAINING_EXTENSION):
        answer_not_found(call, &message);
        break;
    case REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE):
        answer_extension_numbers(r, call, &message, asked->all_extension_numbers_of_type);
        break;
    case REQUEST(LIST_SERVICES):
        answer_services(r, call, &message);
        break;
    default:
        grpc_call_finish(call, GRPC_INVALID_ARGUMENT, "the request asks for nothing we know");
    }
}

// --- methods ---
static void on_message(struct grpc_call *call, struct grpc_slice message, void *ctx)
{
    request *asked =
        grpc__reflection__v1__server_reflection_request__unpack(NULL, message.length, message.data);
    if (asked == NULL) {
        grpc_call_finish(call, GRPC_INTERNAL, "the request is not a ServerReflectionRequest");
        return;
    }
    answer(ctx, call, asked);
    grpc__reflection__v1__server_reflection_request__free_unpacked(asked, NULL);
}

static void on_half_close(struct grpc_call *call, void *ctx)
{
    (void)ctx;
    grpc_call_finish(call, GRPC_OK, "");
}

void grpc_reflection_methods(struct grpc_reflection *reflection, struct grpc_method *out)
{
    static const char *const paths[GRPC_REFLECTION_METHODS] = {
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", // same messages
    };
    for (size_t i = 0; i < GRPC_REFLECTION_METHODS; i++)
        out[i] = (struct grpc_method){.path = paths[i],
                                      .kind = GRPC_BIDI_STREAM,
                                      .on_message = on_message,
                                      .on_half_close = on_half_close,
                                      .ctx = reflection};
}
