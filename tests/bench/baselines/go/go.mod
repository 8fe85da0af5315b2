module ringmaster_bench

go 1.19
