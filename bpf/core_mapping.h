/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Where things are in struct address_space, asked for by way of the one that each inode has in it. The kernel
 * remembers what it searched its types for by 31 hashes of names, and super_block has the same hash as
 * address_space: each would push the other out, at 0.3 ms a search.
 */
#ifndef MEMOIR_CORE_MAPPING_H
#define MEMOIR_CORE_MAPPING_H

#define mapping_offset(member)                                 \
	({                                                     \
		struct inode *inode_ = NULL;                   \
		bpf_core_field_offset(inode_->i_data.member) - \
			bpf_core_field_offset(inode_->i_data); \
	})

#endif
