//! FAT, as the EFI system partition has it.
