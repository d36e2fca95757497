#include "hints/hold.h"
#include <errno.h>
#include "base/error.h"
int hold_new(struct hold **ret_hold, const struct target *target, const struct memoir_plan *plan,
	     struct memoir_error *error)
{ (void)ret_hold;(void)target;(void)plan; return error_set(error,-EOPNOTSUPP,"not yet"); }
void hold_free(struct hold *hold) { (void)hold; }
int hold_begin(struct hold *hold, struct memoir_error *error) { (void)hold; (void)error; return -EOPNOTSUPP; }
void hold_end(struct hold *hold) { (void)hold; }
enum memoir_hold hold_way(const struct hold *hold) { (void)hold; return 0; }
