"""The edge to Faust and aiokafka: transport, patches, pinned versions, group membership."""
